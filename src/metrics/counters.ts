/** Requests of one kind that were answered. */
export class RequestCounter {
  total = 0;
  failed = 0;
  /** From the request's head to its answer, summed. */
  nanoseconds = 0;

  /** A request was answered; a 2xx is a success. */
  add(status: number, milliseconds: number): void {
    this.total += 1;
    if (status >= 300) this.failed += 1;
    this.nanoseconds += Math.round(milliseconds * 1e6);
  }
}

/** What the proxy has done since it started. */
export class Counters {
  readonly queries = new RequestCounter();
  readonly writes = new RequestCounter();
  pings = 0;
  /** Points that clients sent and that are stored or spilled. */
  points = 0;
  /** Points that were answered with an error. */
  pointsFailed = 0;
  /** Points that one replica refused while another one stored them, or has them in its spill. */
  pointsDiverged = 0;
}
