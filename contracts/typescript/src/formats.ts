// The formats of the schemas. Where ajv's own are of another mind than the Python side, these are of
// the latter's: a document that it writes is valid here.

import { fullFormats } from "ajv-formats/dist/formats.js";

const ASCII_EMAIL = fullFormats.email as RegExp;
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

/** RFC 3339, without the leap second, which Python's times have not, from the year 1 on in UTC. */
function dateTime(text: string): boolean {
  const [, date = "", hour, minute, second, offsetHour = "0", offsetMinute = "0"] = DATE_TIME.exec(text) ?? [];
  const year = new Date(text.toUpperCase()).getUTCFullYear();
  return (
    isDate(date) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60 &&
    Number(offsetHour) < 24 &&
    Number(offsetMinute) < 60 &&
    year >= 1 &&
    year <= 9999
  );
}

function isDate(text: string): boolean {
  const moment = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(moment.valueOf()) && moment.toISOString().startsWith(text);
}

/** Letters and digits of every script are as good as those of ASCII. */
function email(text: string): boolean {
  return ASCII_EMAIL.test(text.replaceAll(/(?![\0-\x7F])[\p{L}\p{M}\p{N}]/gu, "a"));
}

export const formats = { ...fullFormats, "date-time": dateTime, email };
