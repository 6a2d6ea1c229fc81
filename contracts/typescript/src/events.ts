// Events: what arrives is read, what leaves is written.

import { READERS, type Events } from "./catalogue.js";
import { fill, type Reader } from "./reading.js";
import { validateEnvelope, type Issue } from "./validators.js";

/** The name of a type of event, which is also its routing key. */
export type EventType = keyof Events;

/** The versions that there are of a type of event. */
export type VersionOf<T extends EventType> = T extends EventType ? keyof Events[T] & number : never;

/** An event of a type, in one version or in any. */
export type EventOf<T extends EventType, V extends VersionOf<T> = VersionOf<T>> = {
  [K in T]: Events[K][V & keyof Events[K]];
}[T];

/** Any event. `event_type` says which, and where it has several, `schema_version` which version. */
export type Event = EventOf<EventType>;

/** An event of a type or version that this release does not know, whole. */
export interface UnknownEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly correlation_id: string;
  readonly timestamp: string;
  readonly payload: unknown;
  readonly schema_version: number;
  readonly causation_id: string | null;
  readonly [member: string]: unknown;
}

/** What `readEvent` returns. `known` says whether `event` is one of `Event`. */
export type ReadEvent =
  | { readonly known: true; readonly event: Event }
  | { readonly known: false; readonly event: UnknownEvent };

/** A message is no event, and never will be. The text names places and rules, and no value. */
export class EventFormatError extends Error {
  override readonly name = "EventFormatError";

  constructor(readonly issues: readonly Issue[]) {
    const places = issues.map(({ instancePath, keyword }) => `${instancePath || "/"} (${keyword})`);
    super(`No event: ${places.join(", ")}.`);
  }
}

/** Where all events are published: a topic exchange. */
export const EXCHANGE = "creativeflow.events";

/** Every type of event. */
export const EVENT_TYPES = Object.keys(READERS) as EventType[];

const ENVELOPE = { members: { schema_version: { value: 1 }, causation_id: { value: null } } };

/**
 * Read a message's body. Members that nobody asked for are kept and looked at no further; those that
 * the writer left out and that have a default get it.
 *
 * @throws EventFormatError
 */
export function readEvent(body: string | Uint8Array): ReadEvent {
  const document = parse(body);
  if (!validateEnvelope(document)) throw new EventFormatError(validateEnvelope.errors ?? []);
  fill(document, ENVELOPE);
  const event = document as UnknownEvent;
  const reader = readerOf(event.event_type, event.schema_version);
  if (!reader) return { known: false, event };
  if (!reader.validate(event)) throw new EventFormatError(reader.validate.errors ?? []);
  fill(event, reader.defaults);
  return { known: true, event: event as unknown as Event };
}

function parse(body: string | Uint8Array): unknown {
  try {
    // The decoder throws where a text is no UTF-8, and does not strip a mark.
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return JSON.parse(typeof body === "string" ? body : decoder.decode(body));
  } catch {
    throw new EventFormatError([{ instancePath: "", keyword: "json", params: {} }]);
  }
}

function readerOf(type: string, version: number): Reader | undefined {
  if (!Object.hasOwn(READERS, type)) return undefined;
  return READERS[type as EventType][version];
}

/** What an event says of itself beside its payload. */
export interface Context {
  /** The request, and everything that came of it. */
  readonly correlation_id: string;
  /** The `event_id` of the event that this one is a consequence of. */
  readonly causation_id?: string | null;
  /** When it happened; now, unless told. */
  readonly timestamp?: Date;
}

/** A new event. Types hold the payload to what every writer writes, and nothing more is checked. */
export function newEvent<T extends EventType, V extends VersionOf<T>>(
  event_type: T,
  schema_version: V,
  payload: EventOf<T, V>["payload"],
  { correlation_id, causation_id = null, timestamp = new Date() }: Context,
): EventOf<T, V> {
  return {
    event_id: crypto.randomUUID(),
    event_type,
    correlation_id,
    timestamp: timestamp.toISOString(),
    payload,
    schema_version,
    causation_id,
  } as unknown as EventOf<T, V>;
}

/** An event as a message: arguments for a channel's `publish` in amqplib. */
export interface Message {
  readonly exchange: string;
  readonly routingKey: string;
  /** JSON, to be written in UTF-8. */
  readonly content: string;
  readonly options: {
    readonly contentType: string;
    readonly correlationId: string;
    readonly headers: Record<string, string>;
    readonly messageId: string;
    readonly persistent: true;
    /** In seconds. */
    readonly timestamp: number;
    readonly type: string;
  };
}

/** The message that says an event. Publish it with confirms: a broker may refuse it. */
export function toMessage(event: Event): Message {
  const headers: Record<string, string> = {
    correlation_id: event.correlation_id,
    schema_version: String(event.schema_version),
  };
  if (event.causation_id !== null) headers["causation_id"] = event.causation_id;
  return {
    exchange: EXCHANGE,
    routingKey: event.event_type,
    content: JSON.stringify(event),
    options: {
      contentType: "application/json",
      correlationId: event.correlation_id,
      headers,
      messageId: event.event_id,
      persistent: true,
      timestamp: Math.floor(Date.parse(event.timestamp) / 1000),
      type: event.event_type,
    },
  };
}
