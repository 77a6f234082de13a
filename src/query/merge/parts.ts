import type { Item, Piece } from '../answer-reader.ts';
import { bytesOf, textOf, utf8Of } from '../raw-json.ts';
import type { Named } from './by-name.ts';
import { type Heading, type NameOfRow, type Run, runsOf } from './rows.ts';

/** The answer of one server, and for which measurements it counts. What it says of others may be old. */
export interface OwnedAnswer {
  readonly items: AsyncIterable<Item>;
  readonly owns: (measurement: string) => boolean;
}

/** A piece with the name of its series as a byte string. */
export interface NamedPiece extends Named {
  readonly piece: Piece;
}

/** What an answer says beside its series. */
export interface Aside {
  readonly messages: string[];
  /** Of the first piece seen. */
  heading: Heading | undefined;
}

export function newAside(): Aside {
  return { messages: [], heading: undefined };
}

export function* messagesOf({
  messages,
}: {
  readonly messages: readonly string[];
}): Generator<Item> {
  if (messages.length > 0) yield { kind: 'messages', messages };
}

/** The pieces that count; each series is one measurement's. */
export async function* ownedPieces(
  { items, owns }: OwnedAnswer,
  aside: Aside,
): AsyncGenerator<NamedPiece, undefined, undefined> {
  let last = { raw: '', name: '', isOwned: false };
  for await (const piece of piecesIn(items, aside)) {
    if (piece.name !== last.raw) {
      const raw = piece.name;
      last = { raw, name: bytesOf(raw), isOwned: owns(textOf(raw)) };
    }
    if (last.isOwned) yield { name: last.name, piece };
  }
  return undefined;
}

/** The rows that count, of an answer in which each row is about one measurement. */
export async function* ownedRuns(
  { items, owns }: OwnedAnswer,
  nameOfRow: NameOfRow,
  aside: Aside,
): AsyncGenerator<Run, undefined, undefined> {
  for await (const piece of piecesIn(items, aside)) {
    for (const run of runsOf(piece, nameOfRow)) {
      if (owns(utf8Of(run.name))) yield run;
    }
  }
  return undefined;
}

async function* piecesIn(items: AsyncIterable<Item>, aside: Aside): AsyncGenerator<Piece> {
  for await (const item of items) {
    if (item.kind === 'messages') aside.messages.push(...item.messages);
    else {
      aside.heading ??= item;
      yield item;
    }
  }
}
