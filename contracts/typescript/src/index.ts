export type * from "./types.js";
export { ERROR_CODES } from "./codes.js";
export type { ErrorStatuses } from "./codes.js";
export { EVENT_TYPES, EXCHANGE, EventFormatError, newEvent, readEvent, toMessage } from "./events.js";
export type { Context, Event, EventOf, EventType, Message, ReadEvent, UnknownEvent, VersionOf } from "./events.js";
export { isProblem } from "./problems.js";
export type { ErrorCode, Problem } from "./problems.js";
