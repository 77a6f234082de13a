import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Child } from '../support/child.ts';
import type { Load } from './cases.ts';
import { bodyOf, encoded, type LineStream } from './lines.ts';

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

/** Requests in turn over a number of connections, as fast as they are answered. */
export class WrkLoad {
  readonly #connections: number;
  readonly #script: string;
  readonly #path: string;

  private constructor(connections: number, script: string, path: string) {
    this.#connections = connections;
    this.#script = script;
    this.#path = path;
  }

  /** Keeps its files, named after `id`, in `folder`. */
  static async ofWrites(
    folder: string,
    id: string,
    load: Load,
    stream: LineStream,
  ): Promise<WrkLoad> {
    const { bodies, linesPerBody, gzip, connections } = load;
    const payloads = Array.from({ length: bodies }, (_, index) =>
      encoded(bodyOf(stream, index * linesPerBody, linesPerBody), gzip),
    );
    const bodyFile = path.join(folder, `${id}.bodies`);
    const script = path.join(folder, `${id}.lua`);
    const lengths = payloads.map(({ length }) => length);
    await writeFile(bodyFile, Buffer.concat(payloads));
    await writeFile(script, luaOfWrites(bodyFile, lengths, gzip) + LUA_RESULT);
    return new WrkLoad(connections, script, '/write?db=bench');
  }

  static async ofQuery(folder: string, query: string, connections: number): Promise<WrkLoad> {
    const script = path.join(folder, `query${connections}.lua`);
    await writeFile(script, LUA_RESULT);
    const parameters = new URLSearchParams({ db: 'bench', q: query }).toString();
    return new WrkLoad(connections, script, `/query?${parameters}`);
  }

  /** One thread of load, so that it leaves the other core to what is measured. */
  async run(origin: string, seconds: number): Promise<LoadResult> {
    const child = await Child.start('wrk', [
      ...['--threads', '1', '--connections', String(this.#connections)],
      ...['--duration', String(seconds), '--latency', '--script', this.#script],
      `${origin}${this.#path}`,
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
function luaOfWrites(bodyFile: string, lengths: readonly number[], gzip: boolean): string {
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
`;
}

const LUA_RESULT = `
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('${RESULT}{"requests":%d,"seconds":%f,"p50Ms":%f,"p99Ms":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
`;
