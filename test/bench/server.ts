/** Something that takes writes, in a process of its own. */
export interface Server {
  readonly name: string;
  readonly origin: string;
  readonly pid: number;
}
