/** Plan of one table: columns and types, how rows are transferred, and how they are proved. */
import {
  isNative,
  noKeyText,
  tableText,
  type Column,
  type TableName,
  type TableSpec,
} from '../../../model/copy/column-type.ts'
import { hiddenMembersText } from '../../../model/copy/members.ts'
import type { ColumnPlan, OnExisting, TablePlan } from '../../../model/copy/plan.ts'
import type { FrameFormat, ProofScheme } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { refuseFloatKey } from '../../../stores/common/key-ranges.ts'
import { refuseMerging } from '../../../stores/common/merging-key.ts'
import { planColumn, refuseLossy, refuseMissing, refuseOneColumn } from './column-plans.ts'
import { checkedColumns, isCopiedAsValue, isComputedBy, newlyChecked } from './generated-columns.ts'
import { newTable, lostSettings } from './new-table.ts'
import { planHash } from './plan-hash.ts'
import { timedCollections } from './row-losses.ts'
import { noRange, sortAlike } from './sorts-alike.ts'
import type { TableOptions, Verify } from './table-options.ts'
import { sameFamily, titlesOf } from '../../run/systems.ts'
import { columnNamed } from './column-named.ts'
import { withKeyTypes } from './untyped-keys.ts'

const BY_ROWS: readonly (readonly [below: bigint, size: number])[] = [
  [100_000n, 10_000],
  [500_000n, 25_000],
  [2_000_000n, 50_000],
]
const LARGEST_SIZE = 100_000
/** Limit of bytes per chunk, which also limits one transaction, its proof, and a retry. */
const MOST_CHUNK_BYTES = 64n * 1024n * 1024n
const LEAST_SIZE = 500

/** Texts, quoted names and comments: brackets in them are ignored. */
const SKIPPED = /'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$/g
/** Texts, quoted names and comments of a condition without a backslash. */
const SKIPPED_WITHOUT_ESCAPES = /'[^']*'|"[^"]*"|`[^`]*`|--[^\n]*|\/\*[\s\S]*?\*\//g

/**
 * @param existing the table of the target; null if it has to be created
 * @throws SluiceError UNSUPPORTED_TYPE, LOSSY_TYPE, TABLE_REFUSED, BAD_FLAG, UNSUPPORTED_KEY
 */
export function planTable(
  from: CopyStore,
  to: CopyStore,
  givenTable: TableSpec,
  existing: TableSpec | null,
  targetName: TableName,
  options: TableOptions,
): TablePlan {
  const sameSystem = sameFamily(from.system, to.system)
  const given = { source: withKey(givenTable, options.key), target: existing }
  const { source, target: found, mixed } = withKeyTypes(given, options, sameSystem)
  refuseGiven(from, to, source, found, options)
  if (to.can.atomic === 'batch') refuseSeveral(source)
  refuseOneWay(source)
  // With a ring, tokens identify the ranges, so a float key is allowed.
  if (source.ring === undefined) refuseFloatKey(source)
  refuseUnpaged(source, from)
  if (found !== null) refuseUnpaged(found, to)
  const chosen = chosenColumns(source, found, options)
  refuseEmpty(source, chosen)
  const target = found ?? newTable(source, chosen, targetName, options, to, sameSystem)
  if (found === null) refuseNewKey(target, to)
  const columns = chosen.map((column) =>
    planColumn(column, target, options, sameSystem, source.key.includes(column.name)),
  )
  refuseOneColumn(source, columns, to)
  if (options.acceptAllLossy !== true) refuseLossy(source, columns, options.acceptLossy)
  if (found !== null) refuseMissing(target, columns)
  const keyed = source.key.length > 0
  const cut = keyed ? 'key' : source.blocks !== undefined && !hidesNumbers(target, to) ? 'block' : 'all'
  const rangeKey = source.key.map((name) => columns.find((column) => column.from === name)?.to ?? name)
  refuseKeys(options, source, target, rangeKey)
  if (found !== null && to.can.atomic === 'row') refuseMerging(found, found.key, rangeKey)
  // A target with `atomic` 'row' also gives a new table a ring, so it does not keep the key order of the source.
  const sortsAlike =
    mixed !== true &&
    (source.ring !== undefined || to.can.atomic !== 'row') &&
    sortAlike({ source, target, columns, sameSystem })
  if (options.onExisting === 'replace-range' && !sortsAlike) throw noRange(target, 'its key')
  const frames = framesOf(from, to, columns, options, source)
  const likeness = { sameSystem, sameWords: from.objects().words === to.objects().words }
  const checked = checkedColumns(source, target, options, likeness)
  const newly = newlyChecked(source, checked, likeness)
  const timed = options.rowTimes === true ? [] : timedCollections({ source, target, columns })
  const plan = {
    source,
    target,
    create: found === null,
    columns,
    ...(options.columns === undefined ? {} : { chosen: true as const }),
    ...(checked.length === 0 ? {} : { checked }),
    ...(newly.length === 0 ? {} : { newlyChecked: newly }),
    ...(timed.length === 0 ? {} : { ownTimes: timed }),
    ...(options.where === undefined ? {} : { where: options.where }),
    onExisting: options.onExisting,
    proof: proofOf(options.verify, frames, target, options.onExisting),
    ...(frames === null ? {} : { frames }),
    rangeKey,
    sortsAlike,
    cut,
    ...lostSettings(source, found, to, sameSystem),
    ...(keyed ? {} : { notResumable: `it ${noKeyText(source)}: an interrupted copy of it restarts` }),
    chunkRows: options.chunkRows ?? recommendedChunkRows(source.rows, source.bytes),
  } as const
  return { ...plan, hash: planHash(from.identity, plan) }
}

function hidesNumbers({ columns }: TableSpec, { can: { rowNumbers } }: CopyStore): boolean {
  return columns.some(({ name }) => name.toLowerCase() === rowNumbers)
}

/** Checks before key and columns are chosen. */
function refuseGiven(
  from: CopyStore,
  to: CopyStore,
  given: TableSpec,
  found: TableSpec | null,
  options: TableOptions,
): void {
  refuseViews(from, to, given, found)
  if (options.where !== undefined) refuseCondition(from, options.where)
  if (options.where !== undefined && options.onExisting === 'replace-range') {
    throw new SluiceError('BAD_FLAG', '--on-existing replace-range is refused with --where', {
      where: to.label,
      reason: 'rows of the target that do not fit the condition would be removed, too',
      hint: 'give --on-existing upsert, or copy the whole table',
    })
  }
  if (options.decimal !== undefined && to.can.decimals !== 'declared') {
    throw new SluiceError('BAD_FLAG', '--decimal cannot be used with this target', {
      where: to.label,
      reason: 'the target has a decimal type; --decimal is for targets without one',
      hint: 'remove --decimal',
    })
  }
  if (given.ring !== undefined && to.can.atomic === 'batch') {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `${tableText(given.table)} cannot be copied into this target: its rows are read in token order`,
      {
        reason: 'the target commits each batch and resumes after the last key, which has no meaning in token order',
        hint: otherTargetsHint(),
      },
    )
  }
  if (given.hidesColumns === true && options.columns === undefined) {
    throw new SluiceError('TABLE_REFUSED', `${tableText(given.table)} has columns that this user may not read`, {
      where: from.label,
      reason: `this user sees only ${given.columns.map(({ name }) => name).join(', ')}`,
      hint: 'grant SELECT on the whole table, or name the columns to copy with --columns',
      kind: 'source',
    })
  }
}

/** @throws SluiceError TABLE_REFUSED */
function refuseEmpty({ table, columns }: TableSpec, chosen: readonly Column[]): void {
  if (chosen.length > 0) return
  throw new SluiceError('TABLE_REFUSED', `${tableText(table)} has no columns with values to copy`, {
    reason: columns.length === 0 ? 'it has no columns' : 'the target generates the values of all columns itself',
    hint: 'exclude the table, and create it in the target yourself',
    kind: 'source',
  })
}

/** Hint that lists targets that do not commit by batch. */
function otherTargetsHint(): string {
  return `copy into ${titlesOf(({ copies }) => copies !== undefined && copies.atomic !== 'batch')}`
}

/** Refuses exploded maps, whose rows share a key of the source. @throws SluiceError UNSUPPORTED_KEY */
function refuseSeveral({ table, key, columns }: TableSpec): void {
  if (!columns.some(({ name, made }) => made === 'key' && key.includes(name))) return
  throw new SluiceError(
    'UNSUPPORTED_KEY',
    `${tableText(table)} cannot be copied into this target: each of its rows becomes several rows`,
    {
      reason: 'the target commits each batch and resumes after the last source row, not within it',
      hint: otherTargetsHint(),
    },
  )
}

/** Refuses a mode for existing rows if a table lacks the key for the mode. @throws SluiceError UNSUPPORTED_KEY */
function refuseKeys(
  { onExisting }: TableOptions,
  source: TableSpec,
  target: TableSpec,
  rangeKey: readonly string[],
): void {
  if (onExisting === 'upsert' && target.key.length === 0) {
    throw new SluiceError('UNSUPPORTED_KEY', `${tableText(target.table)} has no key for an upsert`, {
      hint: 'give the table of the target a primary key, or choose another --on-existing',
    })
  }
  if (onExisting === 'replace-range' && source.key.length === 0) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `${tableText(source.table)} ${noKeyText(source)}: it cannot be divided into ranges`,
      {
        hint: 'name unique columns with --key, or choose another --on-existing',
      },
    )
  }
  if (onExisting === 'upsert' && !sameNames(target.key, rangeKey)) {
    throw new SluiceError(
      'UNSUPPORTED_KEY',
      `rows of ${tableText(target.table)} cannot be upserted: its key is ${target.key.join(', ')}, not ${rangeKey.join(', ')}`,
      { hint: `give --key the source columns of the target's key, or choose another --on-existing` },
    )
  }
}

/** @throws SluiceError BAD_PREDICATE */
function refuseCondition({ can: { modalSigns = {} } }: CopyStore, where: string): void {
  refuseUnbalanced(where)
  const bare = where.includes('\\') ? where : where.replaceAll(SKIPPED_WITHOUT_ESCAPES, ' ')
  const modal = Object.entries(modalSigns).find(([sign]) => bare.includes(sign))
  if (modal === undefined) return
  const [sign, instead] = modal
  throw new SluiceError('BAD_PREDICATE', `--where contains ${sign}, which has two meanings in the source`, {
    where,
    reason: 'a setting of the session decides, and sessions of sluice may have another one than yours',
    hint: `write ${instead}`,
  })
}

/** Refuses a user's condition that would close the brackets that sluice adds. @throws SluiceError BAD_PREDICATE */
function refuseUnbalanced(where: string): void {
  const bare = where.replaceAll(SKIPPED, ' ')
  let depth = 0
  for (const char of bare) {
    if (char === '(') depth++
    if (char === ')') depth--
    if (depth < 0 || char === ';') break
  }
  if (depth === 0 && !bare.includes(';') && where.trim() !== '') return
  throw new SluiceError('BAD_PREDICATE', 'the brackets of --where do not match, or it is more than one condition', {
    where,
    hint: 'write one condition in the SQL of the source, as after WHERE',
  })
}

/**
 * Default rows per chunk: the sizes that the resumable script recommends by table size, limited by bytes.
 * @param rows, bytes of the whole table; 0 if unknown
 */
export function recommendedChunkRows(rows: bigint, bytes: bigint): number {
  const size = BY_ROWS.find(([below]) => rows < below)?.[1] ?? LARGEST_SIZE
  if (rows === 0n || bytes === 0n) return size
  const rowBytes = bytes / rows
  if (rowBytes === 0n) return size
  return Math.max(LEAST_SIZE, Math.min(size, Number(MOST_CHUNK_BYTES / rowBytes)))
}

/** The table with the key that `--key` names. @throws SluiceError BAD_FLAG for a column that the table does not have */
export function withKey(table: TableSpec, key: readonly string[] | undefined): TableSpec {
  if (key === undefined) return table
  for (const name of key) columnNamed(table, name, '--key')
  const { nullsEqual: _nullsEqual, ...rest } = table
  return { ...rest, key, primary: false }
}

/**
 * Refuses a key whose texts do not distinguish all values: two rows would get the same key. @throws SluiceError
 * UNSUPPORTED_KEY
 */
function refuseOneWay({ table, key, columns }: TableSpec): void {
  const column = columns.find(
    ({ name, oneWay, textLoses }) => (oneWay === true || textLoses !== undefined) && key.includes(name),
  )
  if (column === undefined) return
  const hidden = hiddenMembersText(column.native)
  throw new SluiceError(
    'UNSUPPORTED_KEY',
    `${table.name} cannot be copied by its key ${column.name}: different values of this column have the same text`,
    {
      where: tableText(table),
      reason: column.textLoses ?? hidden ?? `${column.native} has several members with the same text`,
      hint:
        hidden === null && column.textLoses === undefined
          ? 'give each member a different name, or name other unique columns with --key'
          : 'name other unique columns with --key',
    },
  )
}

/** Refuses a table in which a page has no beginning that can be found again. @throws SluiceError UNSUPPORTED_KEY */
function refuseUnpaged(table: TableSpec, { can, label }: CopyStore): void {
  if (can.readsPages !== true || table.key.length > 0 || table.blocks !== undefined) return
  throw new SluiceError(
    'UNSUPPORTED_KEY',
    `${tableText(table.table)} cannot be read in pages: it ${noKeyText(table)}`,
    {
      where: label,
      reason: 'its rows have no numbers (WITHOUT ROWID, or columns with all names of the numbers)',
      hint: 'name other unique columns with --key, or create the table with row numbers',
    },
  )
}

/** Refuses keys that a table to be created cannot have. @throws SluiceError UNSUPPORTED_KEY */
function refuseNewKey({ table, key, columns }: TableSpec, to: CopyStore): void {
  const refused = (what: string, reason: string): SluiceError =>
    new SluiceError('UNSUPPORTED_KEY', `${tableText(table)} cannot have the key ${what}`, {
      where: to.label,
      reason,
      hint: 'name other unique columns with --key',
    })
  const left = key.find((name) => !columns.some((column) => column.name === name))
  if (left !== undefined) throw refused(`${left}, which is generated`, 'the values of generated columns are not copied')
  const list = columns.find(({ name, type }) => type.kind === 'list' && key.includes(name))
  if (list !== undefined && to.can.noListKeys === true)
    throw refused(`${list.name}, which is a list`, 'this system cannot index lists')
  const json = columns.find(({ name, native }) => native === 'json' && key.includes(name))
  if (json !== undefined && to.can.noJsonKeys === true)
    throw refused(`${json.name}, which is json`, 'this system cannot index the type json')
}

function chosenColumns(source: TableSpec, found: TableSpec | null, options: TableOptions): readonly Column[] {
  for (const name of options.rename.keys()) columnNamed(source, name, '--rename')
  for (const name of options.acceptLossy) columnNamed(source, name, '--accept-lossy')
  const isWritten = (column: Column): boolean => column.generated !== true || isCopiedAsValue(column, found, options)
  if (options.columns === undefined) return source.columns.filter(isWritten)
  const named = options.columns
  const made = source.columns.filter((column) => column.made !== undefined && !named.includes(column.name))
  const wanted = [...named.map((name) => columnNamed(source, name, '--columns')), ...made]
  for (const name of source.key) {
    if (wanted.some((column) => column.name === name)) continue
    throw new SluiceError('BAD_FLAG', `--columns does not include ${name}, which is part of the key`, {
      where: tableText(source.table),
      reason: 'rows are copied and proved by their key',
      hint: `add ${name} to --columns`,
    })
  }
  return wanted.filter((column) => found === null || !isComputedBy(found, column, options))
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name))
}

/** Format in which rows are forwarded as bytes; null if values need conversion or checks. */
function framesOf(
  from: CopyStore,
  to: CopyStore,
  columns: readonly ColumnPlan[],
  { onExisting }: TableOptions,
  source: TableSpec,
): FrameFormat | null {
  if (source.key.length === 0 || (onExisting !== 'refuse' && onExisting !== 'replace-range')) return null
  if (columns.some(({ source: a, target: b }) => a.native !== b.native || a.type.kind !== b.type.kind)) return null
  // Byte comparison needs key order, and two servers may sort texts and members of enums differently.
  const keyed = source.columns.filter(({ name }) => source.key.includes(name))
  const isOwn = ({ type, typeSql, fields }: Column): boolean => isNative(type) && (typeSql ?? fields) !== undefined
  if (keyed.some((column) => column.collation !== undefined || isOwn(column))) return null
  const common = from.can.frames.filter((format) => to.can.frames.includes(format))
  // User-defined types have different OIDs in each database. The binary form of a list that once had a NULL says so for
  // ever, and its copy does not.
  const binary = columns.every(({ source: { type } }) => !isNative(type) && type.kind !== 'list')
  const format: FrameFormat = binary ? 'pg-binary' : 'pg-text'
  return common.includes(format) ? format : null
}

function proofOf(verify: Verify, frames: FrameFormat | null, target: TableSpec, onExisting: OnExisting): ProofScheme {
  if (verify === 'none' || verify === 'count') return verify
  // Without a key in the target, rows of a chunk cannot be distinguished from existing ones.
  if (onExisting === 'append' && target.key.length === 0) return 'count'
  return frames === null ? 'canonical' : 'echo'
}

/** @throws SluiceError TABLE_REFUSED if the source or the target is a materialized view */
function refuseViews(from: CopyStore, to: CopyStore, source: TableSpec, target: TableSpec | null): void {
  const [view, label] = source.viewOf === undefined ? [target, to.label] : [source, from.label]
  if (view?.viewOf === undefined) return
  const name = tableText(view.table)
  throw new SluiceError(
    'TABLE_REFUSED',
    `${name} cannot be ${view === source ? 'copied' : 'written'}: it is a materialized view of ${view.viewOf}`,
    {
      where: label,
      reason: 'the server derives it from the rows of that table, and it may lag behind them',
      hint:
        view === source
          ? `copy ${view.viewOf}, and create the view in the target`
          : `copy into ${view.viewOf}, or into another table with --to-table`,
      ...(view === source ? { kind: 'source' as const } : {}),
    },
  )
}
