/** Types of existing PostgreSQL columns, and columns to create for a type. */
import type { ColumnType } from '../../../model/copy/column-type.ts'
import { literal, printableSql } from './sql.ts'
import type { TextRow } from './session.ts'

/** A row of pg_type. */
type PgType = {
  readonly oid: string
  /** Name without length and precision, qualified if necessary. */
  readonly name: string
  /** `typtype` of pg_type, such as `d` for a domain. */
  readonly kind: string
  /** OID of the base type of a domain; `modifier` is the length or precision of that type. */
  readonly base: string
  readonly modifier: number
  /** OID of the element type of an array; `0` for other types. */
  readonly element: string
  /** Fields of a composite type, in order. */
  readonly fields: readonly TypeField[]
  /** Statement that creates an enum type or a domain; null for other types. */
  readonly statement: string | null
}

type TypeField = { readonly name: string; readonly oid: string; readonly modifier: number }

type Ask = (sql: string) => Promise<readonly TextRow[]>

/** Loads these types, and the base, element and field types that they consist of. */
export async function loadTypes(oids: Iterable<string>, ask: Ask): Promise<ReadonlyMap<string, PgType>> {
  const known = new Map<string, PgType>()
  let wanted = [...new Set(oids)]
  while (wanted.length > 0) {
    const rows = await ask(
      `SELECT oid, pg_catalog.format_type(oid, NULL), typtype, typbasetype, typtypmod,
         CASE WHEN typcategory = 'A' AND typlen = -1 AND typname NOT IN ('int2vector', 'oidvector') THEN typelem ELSE 0 END, ${STATEMENT}
       FROM pg_catalog.pg_type WHERE oid = ANY (${literal(`{${wanted.join(',')}}`)}::oid[])`,
    )
    const composite = rows.flatMap(([oid, , kind]) => (kind === 'c' ? [oid ?? ''] : []))
    const fields = composite.length === 0 ? [] : await ask(fieldsSql(composite))
    for (const row of rows) {
      const [oid = '', name = '', kind = '', base = '0', modifier = '-1', element = '0'] = texts(row)
      const own = fields
        .map(texts)
        .flatMap(([owner, field = '', type = '', limit = '-1']) =>
          owner === oid ? [{ name: field, oid: type, modifier: Number(limit) }] : [],
        )
      known.set(oid, {
        oid,
        name,
        kind,
        base,
        modifier: Number(modifier),
        element,
        fields: own,
        statement: row[6] == null ? null : printableSql(row[6]),
      })
    }
    const parts = [...known.values()].flatMap((type) => [type.base, type.element, ...type.fields.map(({ oid }) => oid)])
    wanted = [...new Set(parts)].filter((oid) => oid !== '0' && !known.has(oid))
  }
  return known
}

/**
 * SQL: statement that creates the type of a row of pg_type, if it is an enum, or a domain with the collation of its
 * base type. NULL for other types.
 */
const STATEMENT = `CASE typtype
    WHEN 'e' THEN pg_catalog.concat('CREATE TYPE ', pg_catalog.format_type(oid, NULL), ' AS ENUM (',
      (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel::text), ', ' ORDER BY e.enumsortorder)
       FROM pg_catalog.pg_enum e WHERE e.enumtypid = pg_type.oid), ')')
    WHEN 'd' THEN CASE WHEN typcollation = (SELECT b.typcollation FROM pg_catalog.pg_type b WHERE b.oid = pg_type.typbasetype) THEN pg_catalog.concat_ws(' ', 'CREATE DOMAIN', pg_catalog.format_type(oid, NULL), 'AS', pg_catalog.format_type(typbasetype, typtypmod),
      CASE WHEN typdefault IS NOT NULL THEN pg_catalog.concat('DEFAULT ', typdefault) END, CASE WHEN typnotnull THEN 'NOT NULL' END,
      (SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(c.oid), ' ' ORDER BY c.oid)
       FROM pg_catalog.pg_constraint c WHERE c.contypid = pg_type.oid AND c.contype = 'c' AND c.convalidated)) END END`

/** The statement that creates a column's enum type or domain, also of an array of it; null for other types. */
export function typeStatement(oid: string, types: ReadonlyMap<string, PgType>): string | null {
  const type = types.get(oid)
  return type?.statement ?? types.get(type?.element ?? '')?.statement ?? null
}

function fieldsSql(oids: readonly string[]): string {
  return `SELECT t.oid, a.attname, a.atttypid, a.atttypmod FROM pg_catalog.pg_type t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid
     WHERE t.oid = ANY (${literal(`{${oids.join(',')}}`)}::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY t.oid, a.attnum`
}

/**
 * Fields of a composite type in order, with their types. Also for an array or a domain of a composite type; null for
 * other types. They are needed because the text of a value does not name its fields.
 */
export function compositeFields(oid: string, types: ReadonlyMap<string, PgType>): string | null {
  const type = types.get(oid)
  if (type === undefined) return null
  if (type.fields.length > 0) {
    return `(${type.fields
      .map((field) => {
        const { name = field.oid } = types.get(field.oid) ?? {}
        return JSON.stringify([field.name, name, field.modifier, compositeFields(field.oid, types)])
      })
      .join(', ')})`
  }
  const part = type.kind === 'd' ? type.base : type.element
  return part === '0' ? null : compositeFields(part, types)
}

/** What the text of a value does not keep of a type, an array or a domain of it, or one of its fields; null if nothing. */
export function lostInText(oid: string, types: ReadonlyMap<string, PgType>): string | null {
  const type = types.get(oid)
  if (type === undefined) return null
  // The extension `seg` prints 6 digits of its numbers (FLT_DIG), and has neither a binary form nor another text.
  if (type.kind === 'b' && /(?:^|\.)seg$/.test(type.name)) return 'no more than 6 digits of its numbers are kept'
  const parts = [type.base, type.element, ...type.fields.map((field) => field.oid)]
  return parts.map((part) => lostInText(part, types)).find((lost) => lost !== null) ?? null
}

/** @param modifier length or precision of the column, as in pg_attribute */
export function postgresColumnType(oid: string, modifier: number, types: ReadonlyMap<string, PgType>): ColumnType {
  const type = types.get(oid)
  if (type === undefined) return { kind: 'native', name: oid }
  if (type.kind === 'd') return postgresColumnType(type.base, type.modifier, types)
  if (type.element !== '0') {
    const element = types.get(type.element)
    // Binary arrays contain the OID of a domain, which differs in another database.
    const of = element?.kind === 'd' ? nativeType(element) : postgresColumnType(type.element, modifier, types)
    return { kind: 'list', of }
  }
  return builtInType(Number(oid), modifier) ?? nativeType(type)
}

function nativeType({ name }: PgType): ColumnType {
  return { kind: 'native', name }
}

/** Column types that do not depend on a modifier, by OID. */
const BUILT_IN: Readonly<Record<number, ColumnType>> = {
  16: { kind: 'bool' },
  17: { kind: 'bytes' },
  20: { kind: 'int', bits: 64 },
  21: { kind: 'int', bits: 16 },
  23: { kind: 'int', bits: 32 },
  25: { kind: 'text' },
  114: { kind: 'json' },
  700: { kind: 'float', bits: 32 },
  701: { kind: 'float', bits: 64 },
  1082: { kind: 'date' },
  2950: { kind: 'uuid' },
  3802: { kind: 'json' },
}

/** Type of a built-in OID of pg_type.dat, the same on every server; null for other OIDs. */
function builtInType(oid: number, modifier: number): ColumnType | null {
  switch (oid) {
    case 1700:
      return numeric(modifier)
    case 1043:
      return modifier < 0 ? { kind: 'text' } : { kind: 'text', most: modifier - 4 }
    case 1042:
      return modifier < 0 ? { kind: 'text', padded: true } : { kind: 'text', most: modifier - 4, padded: true }
    case 1083:
      return { kind: 'time', digits: digitsOf(modifier) }
    case 1114:
      return { kind: 'timestamp', zone: false, digits: digitsOf(modifier) }
    case 1184:
      return { kind: 'timestamp', zone: true, digits: digitsOf(modifier) }
    default:
      return BUILT_IN[oid] ?? null
  }
}

function numeric(modifier: number): ColumnType {
  if (modifier < 0) return { kind: 'decimal' }
  const bits = modifier - 4
  // The scale has eleven bits with a sign; if it is below zero, values are rounded before the decimal point.
  return { kind: 'decimal', precision: (bits >> 16) & 0xffff, scale: ((bits & 0x7ff) ^ 0x400) - 0x400 }
}

function digitsOf(modifier: number): number {
  return modifier < 0 ? 6 : modifier
}

function texts(row: TextRow): readonly string[] {
  return row.map((text) => text ?? '')
}

const MOST_DIGITS = 6
const MOST_PRECISION = 1000
const MOST_CHARACTERS = 10_485_760

export type PostgresDeclaredType = { readonly native: string; readonly type: ColumnType }

/**
 * Column to create for values of a type. `native`: its PostgreSQL type; `type`: type of the values when they are read
 * back.
 */
export function declarePostgresType(type: ColumnType): PostgresDeclaredType {
  switch (type.kind) {
    case 'bool':
      return { native: 'boolean', type }
    case 'int':
      return declareInt(type.bits, type.unsigned === true)
    case 'decimal':
      return declareDecimal(type)
    case 'float':
      return { native: type.bits === 32 ? 'real' : 'double precision', type }
    case 'text':
      return declareText(type)
    case 'bytes':
      return { native: 'bytea', type }
    case 'uuid':
    case 'date':
      return { native: type.kind, type }
    case 'time': {
      const digits = Math.min(type.digits, MOST_DIGITS)
      return { native: `time${length(digits)} without time zone`, type: { kind: 'time', digits } }
    }
    case 'timestamp': {
      const digits = Math.min(type.digits, MOST_DIGITS)
      const native = `timestamp${length(digits)} ${type.zone ? 'with' : 'without'} time zone`
      return { native, type: { kind: 'timestamp', zone: type.zone, digits } }
    }
    case 'json':
      return { native: 'jsonb', type }
    case 'list':
      return declareList(type.of)
    case 'native':
      // Cassandra's `inet` is the same type as PostgreSQL's.
      return type.name === 'inet' ? { native: 'inet', type } : { native: 'text', type: { kind: 'text' } }
  }
}

/** Item types whose values have exactly one spelling in a JSON array. */
const PLAIN_ITEMS: ReadonlySet<ColumnType['kind']> = new Set(['bool', 'int', 'text', 'uuid'])

/**
 * Type of a list. Only lists of `PLAIN_ITEMS` become arrays. Other lists become JSON: floats and dates keep the
 * source's spelling, and inner lists may differ in length.
 */
function declareList(item: ColumnType): PostgresDeclaredType {
  const of = declarePostgresType(item)
  return PLAIN_ITEMS.has(item.kind) && of.type.kind === item.kind
    ? { native: `${of.native}[]`, type: { kind: 'list', of: of.type } }
    : { native: 'jsonb', type: { kind: 'json' } }
}

function declareInt(bits: number, unsigned: boolean): PostgresDeclaredType {
  const needed = unsigned ? bits + 1 : bits
  if (needed <= 16) return { native: 'smallint', type: { kind: 'int', bits: 16 } }
  if (needed <= 32) return { native: 'integer', type: { kind: 'int', bits: 32 } }
  if (needed <= 64) return { native: 'bigint', type: { kind: 'int', bits: 64 } }
  return { native: 'numeric(20,0)', type: { kind: 'decimal', precision: 20, scale: 0 } }
}

function declareDecimal({ precision, scale = 0 }: ColumnType & { readonly kind: 'decimal' }): PostgresDeclaredType {
  // Before PostgreSQL 15, a scale must be between 0 and the precision.
  if (precision === undefined || precision < 1 || precision > MOST_PRECISION || scale < 0 || scale > precision) {
    return { native: 'numeric', type: { kind: 'decimal' } }
  }
  return { native: `numeric(${precision},${scale})`, type: { kind: 'decimal', precision, scale } }
}

function declareText({ most, padded }: ColumnType & { readonly kind: 'text' }): PostgresDeclaredType {
  if (most === undefined || most < 1 || most > MOST_CHARACTERS) return { native: 'text', type: { kind: 'text' } }
  if (padded === true) return { native: `character(${most})`, type: { kind: 'text', most, padded } }
  return { native: `character varying(${most})`, type: { kind: 'text', most } }
}

function length(digits: number): string {
  return digits === MOST_DIGITS ? '' : `(${digits})`
}
