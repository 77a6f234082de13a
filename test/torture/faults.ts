import type { DiskMood, Machine } from './machine.ts';
import type { ModelBackend, Mood } from './model-backend.ts';
import type { Plan } from './plan.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface FaultsDeps {
  readonly plan: Plan;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly machine: Machine;
  readonly backends: ReadonlyMap<string, ModelBackend>;
  readonly kill: () => void;
  readonly shutDown: () => void;
}

const MOODS = { well: 3, down: 1, hung: 1, lazy: 3, slow: 2, failing: 1, moody: 4, small: 1 };
const DISK_MOODS = { well: 4, full: 1, 'no sync': 1, flaky: 2, dead: 1 };

/** All that goes wrong in a schedule, until it ends. */
export class Faults {
  areOn = true;
  readonly #deps: FaultsDeps;

  constructor(deps: FaultsDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { backends, kill, machine, plan, random, shutDown } = this.#deps;
    for (const backend of backends.values()) this.#changeMood(backend);
    if (plan.diskFaults) this.#changeDiskMood();
    if (plan.lowDisk) this.#changeRoom();
    for (let kills = 0; kills < plan.kills; kills++) {
      this.#later(plan.faultsMs, () => {
        if (random.chance(0.3)) kill();
        else machine.killAfterCalls = random.between(1, 80) / 2;
      });
    }
    for (let shutdowns = 0; shutdowns < plan.shutdowns; shutdowns++)
      this.#later(plan.faultsMs, shutDown);
  }

  end(): void {
    const { backends, machine } = this.#deps;
    this.areOn = false;
    machine.mood = 'well';
    machine.isLow = false;
    machine.killAfterCalls = Infinity;
    for (const backend of backends.values()) backend.mood = 'well';
  }

  #later(maxMs: number, run: () => void): void {
    const { random, scheduler } = this.#deps;
    scheduler.after(random.between(0, maxMs), () => {
      if (this.areOn) run();
    });
  }

  #changeMood(backend: ModelBackend): void {
    const { random } = this.#deps;
    backend.mood = random.weighted<Mood>(MOODS);
    this.#later(random.pick([50, 500, 3000]), () => {
      this.#changeMood(backend);
    });
  }

  #changeDiskMood(): void {
    const { machine, random } = this.#deps;
    machine.mood = random.weighted<DiskMood>(DISK_MOODS);
    this.#later(random.pick([50, 1000]), () => {
      this.#changeDiskMood();
    });
  }

  #changeRoom(): void {
    const { machine, random } = this.#deps;
    machine.isLow = random.chance(0.4);
    this.#later(1000, () => {
      this.#changeRoom();
    });
  }
}
