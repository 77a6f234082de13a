import { gzipSync } from 'node:zlib';

interface Shape {
  readonly measurement: string;
  readonly fields: readonly [string, string, string, string];
}

/** What Telegraf sends of a machine, cut to four fields so that every line has about the same length. */
const SHAPES: readonly Shape[] = [
  { measurement: 'cpu', fields: ['usage_user', 'usage_system', 'usage_idle', 'iowait'] },
  { measurement: 'mem', fields: ['used_percent', 'available', 'buffered', 'cached'] },
  { measurement: 'disk', fields: ['used_percent', 'inodes_free', 'inodes', 'total'] },
  { measurement: 'diskio', fields: ['read_bytes', 'write_bytes', 'reads', 'io_time'] },
  { measurement: 'net', fields: ['bytes_recv', 'bytes_sent', 'packets_recv', 'drop_in'] },
  { measurement: 'processes', fields: ['running', 'sleeping', 'blocked', 'zombies'] },
  { measurement: 'swap', fields: ['used_percent', 'total', 'swap_in', 'swap_out'] },
  { measurement: 'system', fields: ['load_one', 'load_five', 'users', 'uptime'] },
];

export const MEASUREMENTS = SHAPES.map(({ measurement }) => measurement);

const HOSTS = 200;
const TIMESTAMP_HEAD = '17';
const ID_DIGITS = 9;
const TAIL_DIGITS = 8;

/** Line number `id` (below 10^9) of one endless stream; `id` is in its timestamp, as tenths of a second. */
export function lineAt(id: number): string {
  const { measurement, fields } = shapeOf(id);
  const host = String(Math.floor(id / SHAPES.length) % HOSTS).padStart(4, '0');
  const [a, b, c, d] = fields;
  const noise = scramble(id);
  const values =
    `${a}=${(noise % 1_000_000) / 10_000},${b}=${(noise >>> 8) % 5_000}i,` +
    `${c}=${((noise >>> 4) % 100_000) / 1_000},${d}=${(noise >>> 16) % 1_000}i`;
  const belowTenth = `${String(noise % 1_000).padStart(3, '0')}00000`;
  const time = `${TIMESTAMP_HEAD}${String(id).padStart(ID_DIGITS, '0')}${belowTenth}`;
  return `${measurement},datacenter=eu-west-1,host=server-${host},os=linux,rack=r${noise % 8} ${values} ${time}`;
}

/** The number of a line that `lineAt` made, or NaN. */
export function idOf(line: string): number {
  const end = line.length - TAIL_DIGITS;
  return Number(line.slice(end - ID_DIGITS, end));
}

/** Lines `from` to `from + count - 1`, each ended by a newline. */
export function bodyOf(from: number, count: number, gzip: boolean): Buffer {
  const lines = Array.from({ length: count }, (_, index) => `${lineAt(from + index)}\n`);
  const plain = Buffer.from(lines.join(''));
  return gzip ? gzipSync(plain) : plain;
}

function shapeOf(id: number): Shape {
  const shape = SHAPES[id % SHAPES.length];
  if (shape === undefined) throw new Error(`BUG: no shape for line ${id}`);
  return shape;
}

/** 32 bits that look random, so that compressing lines costs and saves what it does with real ones. */
function scramble(id: number): number {
  const mixed = Math.imul(id ^ (id >>> 15), 0x2c1b3c6d);
  return (Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) ^ (mixed >>> 15)) >>> 0;
}
