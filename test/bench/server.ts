/** Something that takes requests, in a process of its own. */
export interface Server {
  readonly origin: string;
  readonly pid: number;
}
