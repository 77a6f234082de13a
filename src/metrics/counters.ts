/** Requests of one kind that were answered. */
export class RequestCounter {
  total = 0;
  failed = 0;
  /** From the request's head to its answer, summed. */
  nanoseconds = 0;
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
