/** A statement fails, and with it those behind it: the text is the `error` of its result. */
export class StatementFailed extends Error {
  override readonly name = 'StatementFailed';
}

/** A server refuses the text itself, as no statement it knows: the status and the text are the answer to the request. */
export class QueryRejected extends Error {
  override readonly name = 'QueryRejected';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The client has gone: there is nobody to answer. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}
