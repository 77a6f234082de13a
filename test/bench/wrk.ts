import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Child } from '../support/child.ts';
import type { BenchCase } from './cases.ts';
import { bodyOf } from './lines.ts';

/** What wrk saw of one run. */
export interface LoadResult {
  /** Answered ones; those that the end of the run cut off do not count. */
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers of 400 and above, connections that failed or broke, requests that took more than two seconds. */
  readonly errors: number;
}

const RESULT = 'RESULT ';

/** The load of one case: a Lua script and the bodies that it sends in turn. */
export class WrkLoad {
  readonly #connections: number;
  readonly #script: string;

  private constructor(connections: number, script: string) {
    this.#connections = connections;
    this.#script = script;
  }

  static async create(folder: string, benchCase: BenchCase): Promise<WrkLoad> {
    const { id, bodies, linesPerBody, gzip, connections } = benchCase;
    const payloads = Array.from({ length: bodies }, (_, index) =>
      bodyOf(index * linesPerBody, linesPerBody, gzip),
    );
    const bodyFile = path.join(folder, `${id}.bodies`);
    const script = path.join(folder, `${id}.lua`);
    await writeFile(bodyFile, Buffer.concat(payloads));
    await writeFile(
      script,
      luaScript(
        bodyFile,
        payloads.map(({ length }) => length),
        gzip,
      ),
    );
    return new WrkLoad(connections, script);
  }

  /** One thread of load, so that it leaves the other core to what is measured. */
  async run(origin: string, seconds: number): Promise<LoadResult> {
    const child = await Child.start('wrk', [
      ...['--threads', '1', '--connections', String(this.#connections)],
      ...['--duration', String(seconds), '--latency', '--script', this.#script],
      `${origin}/write?db=bench`,
    ]);
    const output: string[] = [];
    child.onLine((line) => output.push(line));
    const code = await child.exited();
    const result = output.find((line) => line.startsWith(RESULT));
    if (code !== 0 || result === undefined) {
      throw new Error(`wrk ended with ${code}: ${child.stderr}${output.join('\n')}`);
    }
    return JSON.parse(result.slice(RESULT.length)) as LoadResult;
  }
}

/** Requests are built once, at the start: what wrk then does for each is a copy. */
function luaScript(bodyFile: string, lengths: readonly number[], gzip: boolean): string {
  return `
local requests, turn = {}, 0

function init()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "text/plain; charset=utf-8"
  ${gzip ? 'wrk.headers["Content-Encoding"] = "gzip"' : ''}
  local file = assert(io.open(${JSON.stringify(bodyFile)}, "rb"))
  for length in ("${lengths.join(' ')}"):gmatch("%d+") do
    table.insert(requests, wrk.format(nil, nil, nil, file:read(tonumber(length))))
  end
  file:close()
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('${RESULT}{"requests":%d,"seconds":%f,"p50Ms":%f,"p99Ms":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
`;
}
