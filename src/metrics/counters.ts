/** What the proxy has done since it started. Durations are nanoseconds, summed. */
export class Counters {
  queries = 0;
  queriesFailed = 0;
  queryNanoseconds = 0;
  writes = 0;
  writesFailed = 0;
  writeNanoseconds = 0;
  pings = 0;
  /** Points that clients sent and that are stored or spilled. */
  points = 0;
  /** Points that were answered with an error. */
  pointsFailed = 0;
  /** Points that one replica stored and another one refused. */
  pointsDiverged = 0;
}
