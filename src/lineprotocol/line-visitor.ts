/** What the lines of a body turn out to be, in their order. Blank lines and comments are not shown. */
export interface LineVisitor {
  /**
   * One valid line, body[start, end): no newline ends it, no blank precedes it (save where the line would not be one
   * line without). body[start, measurementEnd) is the measurement, still escaped; `timed`: the line has a timestamp.
   * Followed by a newline, or if it is not timed by ` <timestamp>` and a newline, it is read as the same point.
   */
  point(start: number, measurementEnd: number, end: number, timed: boolean): void;
  /** One line that InfluxDB refuses, with its own words: what follows ``unable to parse '<line>': ``. */
  invalid(start: number, end: number, reason: string): void;
}
