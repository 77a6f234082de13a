import { gzipSync } from 'node:zlib';

interface Kind {
  readonly name: string;
  readonly fields: readonly [string, string, string, string];
}

/** What Telegraf sends of a machine, cut to four fields so that every line has about the same length. */
const KINDS: readonly Kind[] = [
  { name: 'cpu', fields: ['usage_user', 'usage_system', 'usage_idle', 'iowait'] },
  { name: 'mem', fields: ['used_percent', 'available', 'buffered', 'cached'] },
  { name: 'disk', fields: ['used_percent', 'inodes_free', 'inodes', 'total'] },
  { name: 'diskio', fields: ['read_bytes', 'write_bytes', 'reads', 'io_time'] },
  { name: 'net', fields: ['bytes_recv', 'bytes_sent', 'packets_recv', 'drop_in'] },
  { name: 'processes', fields: ['running', 'sleeping', 'blocked', 'zombies'] },
  { name: 'swap', fields: ['used_percent', 'total', 'swap_in', 'swap_out'] },
  { name: 'system', fields: ['load_one', 'load_five', 'users', 'uptime'] },
];

/** An endless stream of lines over so many measurements in turn, whose names begin with `prefix`. */
export interface LineStream {
  readonly measurements: number;
  readonly prefix?: string;
}

const HOSTS = 200;
const TIMESTAMP_HEAD = '17';
const ID_DIGITS = 9;
const TAIL_DIGITS = 8;

/** The names of a stream's measurements, in the order of its lines. */
export function measurementsOf({ measurements, prefix = '' }: LineStream): string[] {
  return Array.from({ length: measurements }, (_, index) => nameAt(index, prefix));
}

/** Line number `id` (below 10^9) of a stream; `id` is in its timestamp, as tenths of a second. */
export function lineAt({ measurements, prefix = '' }: LineStream, id: number): string {
  const index = id % measurements;
  const [a, b, c, d] = kindAt(index).fields;
  const host = String(Math.floor(id / measurements) % HOSTS).padStart(4, '0');
  const noise = scramble(id);
  const values =
    `${a}=${(noise % 1_000_000) / 10_000},${b}=${(noise >>> 8) % 5_000}i,` +
    `${c}=${((noise >>> 4) % 100_000) / 1_000},${d}=${(noise >>> 16) % 1_000}i`;
  const belowTenth = `${String(noise % 1_000).padStart(3, '0')}00000`;
  const time = `${TIMESTAMP_HEAD}${String(id).padStart(ID_DIGITS, '0')}${belowTenth}`;
  const tags = `datacenter=eu-west-1,host=server-${host},os=linux,rack=r${noise % 8}`;
  return `${nameAt(index, prefix)},${tags} ${values} ${time}`;
}

/** The number of a line that `lineAt` made, or NaN. */
export function idOf(line: string): number {
  const end = line.length - TAIL_DIGITS;
  return Number(line.slice(end - ID_DIGITS, end));
}

/** Lines `from` to `from + count - 1`, each ended by a newline. */
export function bodyOf(stream: LineStream, from: number, count: number): Buffer {
  const lines = Array.from({ length: count }, (_, index) => `${lineAt(stream, from + index)}\n`);
  return Buffer.from(lines.join(''));
}

/** As clients send it. */
export function encoded(body: Buffer, gzip: boolean): Buffer {
  return gzip ? gzipSync(body) : body;
}

/** The first of each kind has the plain name. */
function nameAt(index: number, prefix: string): string {
  const round = Math.floor(index / KINDS.length);
  return `${prefix}${kindAt(index).name}${round === 0 ? '' : `_${round}`}`;
}

function kindAt(index: number): Kind {
  const kind = KINDS[index % KINDS.length];
  if (kind === undefined) throw new Error(`BUG: no kind of measurement ${index}`);
  return kind;
}

/** 32 bits that look random, so that compressing lines costs and saves what it does with real ones. */
function scramble(id: number): number {
  const mixed = Math.imul(id ^ (id >>> 15), 0x2c1b3c6d);
  return (Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) ^ (mixed >>> 15)) >>> 0;
}
