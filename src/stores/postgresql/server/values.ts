/** Converts values to and from PostgreSQL's text format. */
import { bytesOfText } from '../../../model/copy/bytes-text.ts'
import type { CustomTypesConfig } from 'pg'
import { isoOfText } from '../../../shared/clock.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { bufferOf } from '../../common/cells.ts'

/** OIDs of types, from pg_type.dat; the same on every server. */
const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  oid: 26,
  float4: 700,
  float8: 701,
  timestamptz: 1184,
  numeric: 1700,
}

const PARSERS: Readonly<Record<number, (text: string) => SqlValue>> = {
  [OID.bool]: (text) => (text === 't' ? 1 : 0),
  [OID.bytea]: bytesOfText,
  [OID.int8]: int8,
  [OID.int2]: Number,
  [OID.int4]: Number,
  [OID.oid]: Number,
  [OID.float4]: Number,
  [OID.float8]: Number,
  [OID.numeric]: numeric,
}

const asText = (text: string): SqlValue => text

/** Types without a parser stay text as the server prints it: times, JSON, arrays. */
export const TYPES: CustomTypesConfig = {
  getTypeParser: (oid: number) => PARSERS[oid] ?? asText,
}

/** Types for queries of users: a timestamp with time zone is ISO 8601 text in UTC, as in all output. */
export const QUERY_TYPES: CustomTypesConfig = {
  getTypeParser: (oid: number) => (oid === OID.timestamptz ? isoOfText : TYPES.getTypeParser(oid)),
}

/** Values for the driver: a Buffer is sent in binary, everything else as text. */
export function toPostgres(values: SqlRow): (null | string | Buffer)[] {
  return values.map((value) => {
    if (value === null || typeof value === 'string') return value
    if (typeof value === 'object') return bufferOf(value)
    return String(value)
  })
}

function int8(text: string): number | bigint {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}

function numeric(text: string): number | string {
  if (!/^-?\d{1,16}$/.test(text)) return text
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}
