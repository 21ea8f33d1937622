/** The plan of one table: which columns go where and as what, how rows travel, how they are proved. */
import {
  tableText,
  type Column,
  type ColumnType,
  type TableName,
  type TableSpec,
} from '../../../model/copy/column-type.ts'
import { codecBetween } from '../../../model/copy/codec.ts'
import { converter } from '../../../model/copy/convert.ts'
import type { ColumnPlan, OnExisting, TablePlan } from '../../../model/copy/plan.ts'
import type { FrameFormat, ProofScheme } from '../../../model/copy/rows.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../stores/copy-port.ts'
import type { Derivation } from '../../../stores/derived/index.ts'
import { recommendedChunkRows } from './chunk-size.ts'
import { refuseUnbalanced } from './condition.ts'
import { pairTypes } from './pair-types.ts'
import { planHash } from './plan-hash.ts'
import { sameFamily, titlesOf } from '../../systems.ts'

export type Verify = 'chunk' | 'count' | 'none'

export type TableWishes = {
  /** Columns of the source, in any order; all of them when absent. */
  readonly columns?: readonly string[]
  /** New names by old ones. */
  readonly rename: ReadonlyMap<string, string>
  readonly where?: string
  readonly onExisting: OnExisting
  readonly acceptLossy: readonly string[]
  readonly acceptAllLossy?: true
  /** What decimals become in a table that is made, where the target has none of its own. */
  readonly decimal?: 'text' | 'real'
  /** JSON travels in its canonical form, as in a copy that was begun so. */
  readonly rewritten?: true
  readonly chunkRows?: number
  readonly verify: Verify
  /** Columns that tell rows apart, where the table does not say. */
  readonly key?: readonly string[]
  /** What the copy has made of the rows of its source on their way; who plans again has to make it too. */
  readonly derived?: Derivation
}

/**
 * @param found the table of the target, or null where it has to be made
 * @throws SluiceError UNSUPPORTED_TYPE, LOSSY_TYPE, TABLE_REFUSED, BAD_FLAG, UNSUPPORTED_KEY
 */
export function planTable(
  from: CopyStore,
  to: CopyStore,
  given: TableSpec,
  found: TableSpec | null,
  targetName: TableName,
  wishes: TableWishes,
): TablePlan {
  if (wishes.where !== undefined) refuseUnbalanced(wishes.where)
  if (wishes.decimal !== undefined && to.can.decimals !== 'declared') {
    throw new SluiceError('BAD_FLAG', '--decimal says what decimals become where a target has none of its own', {
      where: to.label,
      reason: 'this one holds decimals as they are',
      hint: 'leave --decimal out',
    })
  }
  if (given.ring !== undefined && to.can.atomic === 'batch') {
    throw new SluiceError('UNSUPPORTED_KEY', `rows of ${tableText(given.table)} come in the order of their tokens`, {
      reason: 'the target commits batch by batch and goes on behind the last key, which says nothing among tokens',
      hint: `copy into ${titlesOf(({ copies }) => copies !== undefined && copies.atomic !== 'batch')}`,
    })
  }
  if (given.hidesColumns === true && wishes.columns === undefined) {
    throw new SluiceError('TABLE_REFUSED', `${tableText(given.table)} has columns that this user may not read`, {
      where: from.label,
      reason: `the rights of the user show only ${given.columns.map(({ name }) => name).join(', ')}`,
      hint: 'grant SELECT on the whole table, or name the columns that are to go with --columns',
      kind: 'source',
    })
  }
  const source = withKey(given, wishes.key)
  if (
    to.can.atomic === 'batch' &&
    source.columns.some(({ name, made }) => made === 'key' && source.key.includes(name))
  ) {
    throw new SluiceError('UNSUPPORTED_KEY', `rows of ${tableText(given.table)} become several each`, {
      reason: 'the target commits batch by batch, and goes on behind the last row of the source and not within it',
      hint: `copy into ${titlesOf(({ copies }) => copies !== undefined && copies.atomic !== 'batch')}`,
    })
  }
  const chosen = chosenColumns(source, wishes)
  const sameSystem = sameFamily(from.system, to.system)
  const target = found ?? newTable(source, chosen, targetName, wishes, to, sameSystem)
  const columns = chosen.map((column) => planColumn(column, target, wishes, sameSystem))
  refuseOneColumn(source, columns, to)
  if (wishes.acceptAllLossy !== true) refuseLossy(source, columns, wishes.acceptLossy)
  if (found !== null) refuseMissing(target, columns)
  const keyed = source.key.length > 0
  const cut = keyed ? 'key' : source.blocks !== undefined ? 'block' : 'all'
  if (wishes.onExisting === 'upsert' && target.key.length === 0) {
    throw new SluiceError('UNSUPPORTED_KEY', `${tableText(target.table)} has no key that an upsert could go by`, {
      hint: 'give the table of the target a primary key, or choose another --on-existing',
    })
  }
  if (wishes.onExisting === 'replace-range' && !keyed) {
    throw new SluiceError('UNSUPPORTED_KEY', `${tableText(source.table)} has no key to cut ranges by`, {
      hint: 'name unique columns with --key, or choose another --on-existing',
    })
  }
  const rangeKey = source.key.map((name) => columns.find((column) => column.from === name)?.to ?? name)
  if (wishes.onExisting === 'upsert' && !sameNames(target.key, rangeKey)) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `${tableText(target.table)} is unique by ${target.key.join(', ')}, and not by ${rangeKey.join(', ')}`,
      {
        hint: `say --key with the source's columns of the target's key, or choose another --on-existing`,
      },
    )
  }
  // A table that is going to be made has no ring yet, but lies on one then.
  const sortsAlike = (source.ring !== undefined || to.can.atomic !== 'row') && sortAlike(source, target, columns)
  if (wishes.onExisting === 'replace-range' && !sortsAlike) {
    throw new SluiceError('UNSUPPORTED_KEY', `no range of ${tableText(target.table)} can be replaced`, {
      reason: 'its key sorts in another way there than at the source, and rows of other chunks would be removed',
      hint: 'choose --on-existing upsert or append',
    })
  }
  const frames = framesOf(from, to, columns, wishes, source)
  const checked = keyed ? checkedColumns(source, target, columns, sameSystem) : []
  const plan = {
    source,
    target,
    create: found === null,
    columns,
    ...(checked.length === 0 ? {} : { checked }),
    ...(wishes.where === undefined ? {} : { where: wishes.where }),
    onExisting: wishes.onExisting,
    proof: proofOf(wishes.verify, frames, target, wishes.onExisting),
    ...(frames === null ? {} : { frames }),
    rangeKey,
    sortsAlike,
    cut,
    ...settingsLeft(source, found, to, sameSystem),
    ...(keyed ? {} : { notResumable: 'it has no key: an interrupted copy of it begins anew' }),
    chunkRows: wishes.chunkRows ?? recommendedChunkRows(source.rows, source.bytes),
  } as const
  return { ...plan, hash: planHash(from.identity, plan) }
}

function withKey(table: TableSpec, key: readonly string[] | undefined): TableSpec {
  if (key === undefined) return table
  for (const name of key) columnOf(table, name, '--key')
  return { ...table, key, primary: false }
}

function columnOf(table: TableSpec, name: string, flag: string): Column {
  const column = table.columns.find((one) => one.name === name)
  if (column !== undefined) return column
  throw new SluiceError('BAD_FLAG', `${tableText(table.table)} has no column ${name}, which ${flag} names`, {
    hint: `it has ${table.columns.map((one) => one.name).join(', ')}`,
  })
}

function chosenColumns(source: TableSpec, wishes: TableWishes): readonly Column[] {
  for (const name of wishes.rename.keys()) columnOf(source, name, '--rename')
  for (const name of wishes.acceptLossy) columnOf(source, name, '--accept-lossy')
  if (wishes.columns === undefined) return source.columns.filter((column) => column.generated !== true)
  const named = wishes.columns
  const made = source.columns.filter((column) => column.made !== undefined && !named.includes(column.name))
  const wanted = [...named.map((name) => columnOf(source, name, '--columns')), ...made]
  for (const name of source.key) {
    if (wanted.some((column) => column.name === name)) continue
    throw new SluiceError('BAD_FLAG', `--columns leaves out ${name}, which is part of the key`, {
      where: tableText(source.table),
      hint: 'rows are cut, found again and proved by their key: name it too',
    })
  }
  return wanted
}

function newTable(
  source: TableSpec,
  chosen: readonly Column[],
  table: TableName,
  wishes: TableWishes,
  to: CopyStore,
  sameSystem: boolean,
): TableSpec {
  const { rename } = wishes
  // Where generated columns come along nothing is chosen and nothing has another name.
  const order = new Map(source.columns.map(({ name }, at) => [name, at]))
  const placeOf = ({ name }: Column): number => (wishes.columns === undefined ? (order.get(name) ?? order.size) : 0)
  const made = chosen.map((column): Column => newColumn(column, source, wishes, to, sameSystem))
  const carried = sameSystem ? carriedColumns(source, wishes) : []
  const columns = [...made, ...carried].toSorted((a, b) => placeOf(a) - placeOf(b))
  const { ring } = source
  return {
    table,
    identity: '',
    columns,
    key: source.key.map((name) => rename.get(name) ?? name),
    // A key that may be NULL makes no primary one.
    primary: !source.key.some((name) => chosen.find((one) => one.name === name)?.nullable === true),
    rows: 0n,
    bytes: 0n,
    ...(sameSystem && source.types !== undefined ? { types: source.types } : {}),
    ...(sameSystem && source.options !== undefined ? { options: source.options } : {}),
    ...(sameSystem && source.settings !== undefined && to.fittedSettings !== undefined
      ? { settings: to.fittedSettings(source.settings).kept }
      : {}),
    ...(sameSystem && source.times !== undefined ? { times: { hidden: source.times.hidden } } : {}),
    // The table that is made lies on the ring as its source does; whether that is the same ring, only the target can say.
    ...(sameSystem && ring !== undefined
      ? {
          ring: {
            ...ring,
            ...(ring.descending === undefined
              ? {}
              : { descending: ring.descending.map((name) => rename.get(name) ?? name) }),
          },
        }
      : {}),
  }
}

function newColumn(
  column: Column,
  source: TableSpec,
  { rename, decimal }: TableWishes,
  to: CopyStore,
  sameSystem: boolean,
): Column {
  const { name, nullable, type, native, sequence, asText, spelled } = column
  const isKnown = sameSystem && !(column.made !== undefined && type.kind === 'text')
  const declared = isKnown
    ? { native, type, ...(asText === true ? { asText } : {}), ...(spelled === true ? { spelled } : {}) }
    : to.declare(type, source.key.includes(name), {
        ...(decimal === undefined ? {} : { decimal }),
        ...(spelled === true ? { spelled } : {}),
      })
  const numbered = column.identity === true || (sequence !== undefined && (!sameSystem || sequence.named === undefined))
  return {
    name: rename.get(name) ?? name,
    ...declared,
    nullable: nullable && !(source.primary && source.key.includes(name)),
    ...(numbered ? { identity: true } : {}),
    ...(sequence === undefined ? {} : { sequence: { ...sequence, column: rename.get(name) ?? name } }),
    ...(sameSystem && column.collation !== undefined ? { collation: column.collation } : {}),
    ...(sameSystem && column.static === true ? { static: true } : {}),
  }
}

function checkedColumns(
  source: TableSpec,
  target: TableSpec,
  columns: readonly ColumnPlan[],
  sameSystem: boolean,
): readonly ColumnPlan[] {
  if (!sameSystem) return []
  return source.columns.flatMap((column): readonly ColumnPlan[] => {
    const { name, expression } = column
    if (expression === undefined || columns.some(({ from }) => from === name)) return []
    const other = target.columns.find((one) => one.name === name)
    const isSame =
      other?.expression !== undefined &&
      other.native === column.native &&
      bareSql(other.expression.sql) === bareSql(expression.sql)
    return isSame ? [{ from: name, to: name, source: column, target: other, ...pairTypes(column, other, true) }] : []
  })
}

/** Blanks and brackets differ with what a system prints. */
function bareSql(sql: string): string {
  return sql.replaceAll(/[\s()]/g, '')
}

/** Generated columns that the target computes as the source does: their expressions go along as they stand, and only where all names are the same. */
function carriedColumns(source: TableSpec, { columns, rename }: TableWishes): readonly Column[] {
  if (columns !== undefined || rename.size > 0) return []
  return source.columns.flatMap(({ name, type, native, nullable, generated, expression, collation }) => {
    if (generated !== true || expression === undefined) return []
    return [{ name, type, native, nullable, generated, expression, ...(collation === undefined ? {} : { collation }) }]
  })
}

function settingsLeft(
  { settings }: TableSpec,
  found: TableSpec | null,
  to: CopyStore,
  sameSystem: boolean,
): { readonly settingsLeft?: readonly string[] } {
  // The table that is there has what its owner gave it.
  if (found !== null || !sameSystem || settings === undefined) return {}
  const left = to.fittedSettings?.(settings).left ?? []
  return left.length === 0 ? {} : { settingsLeft: left }
}

function planColumn(
  source: Column,
  target: TableSpec,
  { rename, acceptLossy, rewritten, derived }: TableWishes,
  sameSystem: boolean,
): ColumnPlan {
  const to = rename.get(source.name) ?? source.name
  const column =
    target.columns.find((one) => one.name === to) ??
    target.columns.find((one) => one.name.toLowerCase() === to.toLowerCase())
  if (column === undefined) {
    throw new SluiceError('TABLE_REFUSED', `the target's ${tableText(target.table)} has no column ${to}`, {
      hint: `add it, or choose columns with --columns or --rename; it has ${target.columns.map((one) => one.name).join(', ')}`,
    })
  }
  if (column.generated === true) {
    throw new SluiceError('TABLE_REFUSED', `the target makes the values of ${tableText(target.table)}.${to} itself`, {
      hint: 'leave the column out with --columns',
    })
  }
  const { codecs } = derived ?? {}
  const converted = codecs === undefined || source.made !== undefined ? null : codecBetween(source, column, codecs)
  const pairing = converted ?? pairTypes(source, column, sameSystem, acceptLossy.includes(source.name), rewritten)
  if (source.always !== undefined) refuseConstant(source, column, pairing.as)
  return { from: source.name, to: column.name, source, target: column, ...pairing }
}

/** Of two columns that go to one, the values of one would be lost. */
function refuseOneColumn(source: TableSpec, columns: readonly ColumnPlan[], to: CopyStore): void {
  const seen = new Map<string, string>()
  for (const { from, to: name } of columns) {
    const folded = to.can.folds?.columns === true ? name.toLowerCase() : name
    const other = seen.get(folded)
    if (other !== undefined) {
      throw new SluiceError(
        'TABLE_REFUSED',
        `columns ${other} and ${from} of ${tableText(source.table)} would be one`,
        {
          where: to.label,
          hint: `give one of them another name with --rename ${shellQuote(`${from}=NAME`)}, or leave it out with --columns`,
        },
      )
    }
    seen.set(folded, from)
  }
}

/** Every row would be refused for it. */
function refuseConstant({ name, type, always = '' }: Column, target: Column, as: ColumnType): void {
  try {
    converter(type, as)(always)
  } catch (thrown) {
    throw new SluiceError('BAD_FLAG', `${always} is no value for ${name}: ${asSluiceError(thrown).message}`, {
      hint: `the column of the target is ${target.native}`,
    })
  }
}

function refuseLossy(table: TableSpec, columns: readonly ColumnPlan[], accepted: readonly string[]): void {
  const lossy = columns.filter((column) => column.lossy !== undefined && !accepted.includes(column.from))
  if (lossy.length === 0) return
  const lines = lossy.map(
    ({ from, source, target, lossy: why }) => `${from} (${source.native} to ${target.native}): ${why ?? ''}`,
  )
  throw new SluiceError('LOSSY_TYPE', `${tableText(table.table)} would lose something: ${lines.join('; ')}`, {
    hint: `accept it with ${lossy.map(({ from }) => `--accept-lossy ${shellQuote(from)}`).join(' ')}, or give the target another type`,
  })
}

function refuseMissing(target: TableSpec, columns: readonly ColumnPlan[]): void {
  const filled = new Set(columns.map(({ to }) => to))
  const missing = target.columns.filter(
    ({ name, nullable, generated, identity, hasDefault }) =>
      !nullable && generated !== true && identity !== true && hasDefault !== true && !filled.has(name),
  )
  if (missing.length === 0) return
  throw new SluiceError(
    'TABLE_REFUSED',
    `nothing fills ${missing.map(({ name }) => name).join(', ')} of the target's ${tableText(target.table)}`,
    {
      hint: 'give these columns a default, or copy a column into them with --rename',
    },
  )
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name))
}

/** Texts may follow the rules of a language on one side, and a type that became another one may sort in another way. */
function sortAlike(source: TableSpec, target: TableSpec, columns: readonly ColumnPlan[]): boolean {
  // Bounds of ranges know nothing of columns that are made on the way.
  const cutting = source.ring === undefined ? source.key : source.key.slice(0, source.ring.columns)
  if (source.columns.some(({ name, made }) => made !== undefined && cutting.includes(name))) return false
  if (source.ring !== undefined || target.ring !== undefined) return sameRing(source, target, columns)
  return source.key.every((name) => {
    const column = columns.find(({ from }) => from === name)
    if (column === undefined || column.source.collation !== column.target.collation) return false
    if (column.source.asText !== column.target.asText) return false
    const [a, b] = [column.source.type.kind, column.target.type.kind]
    return a === b && a !== 'native' && a !== 'json' && a !== 'list'
  })
}

/** Whether equal rows have equal tokens on both sides. */
function sameRing(source: TableSpec, target: TableSpec, columns: readonly ColumnPlan[]): boolean {
  const { ring } = source
  if (ring === undefined || target.ring?.partitioner !== ring.partitioner || target.ring.columns !== ring.columns)
    return false
  return source.key.slice(0, ring.columns).every((name, at) => {
    const column = columns.find(({ from }) => from === name)
    return column !== undefined && column.to === target.key[at] && column.source.native === column.target.native
  })
}

/** Rows that nobody has to look into are forwarded as they are. */
function framesOf(
  from: CopyStore,
  to: CopyStore,
  columns: readonly ColumnPlan[],
  { onExisting }: TableWishes,
  source: TableSpec,
): FrameFormat | null {
  if (source.key.length === 0 || (onExisting !== 'refuse' && onExisting !== 'replace-range')) return null
  if (columns.some(({ source: a, target: b }) => a.native !== b.native || a.type.kind !== b.type.kind)) return null
  // Bytes are compared in the order of the key, and two servers may sort texts differently.
  const sorted = source.key.every((name) => source.columns.find((one) => one.name === name)?.collation === undefined)
  if (!sorted) return null
  const common = from.can.frames.filter((format) => to.can.frames.includes(format))
  // Types that a database made itself have numbers of their own in each, and those are part of the binary form of lists.
  const binary = columns.every(({ source: column }) => !isMadeHere(column.type))
  const format: FrameFormat = binary ? 'pg-binary' : 'pg-text'
  return common.includes(format) ? format : null
}

function isMadeHere(type: ColumnType): boolean {
  return type.kind === 'native' || (type.kind === 'list' && isMadeHere(type.of))
}

function proofOf(verify: Verify, frames: FrameFormat | null, target: TableSpec, onExisting: OnExisting): ProofScheme {
  if (verify === 'none' || verify === 'count') return verify
  // Among rows that were there before, those of a chunk can only be told by their key.
  if (onExisting === 'append' && target.key.length === 0) return 'count'
  return frames === null ? 'canonical' : 'echo'
}
