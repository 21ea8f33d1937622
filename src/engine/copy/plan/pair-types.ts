/** Type in which values of one column are transferred to another column, and the loss, if any. */
import type { Column, ColumnType } from '../../../model/copy/column-type.ts'
import { fitsDouble } from '../../../model/copy/decimal.ts'
import { hiddenMembersText } from '../../../model/copy/members.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { OTHER_FIELDS } from '../../../stores/common/refusals.ts'
import { wholeLimits } from '../../../stores/common/type-limits.ts'

export type Pairing = { readonly as: ColumnType; readonly lossy?: string }

/**
 * @param sameSystem each side can read the texts that the other one prints
 * @param accepted the user accepted losses of the column. Lossless pairs that older versions reported as lossy keep
 * their old form in this case, so that copies of these versions are resumed
 * @param rewritten transfer JSON in its canonical form, not as the original text
 * @param where table that an error names
 * @throws SluiceError UNSUPPORTED_TYPE if no value could be transferred
 */
export function pairTypes(
  source: Column,
  target: Column,
  sameSystem: boolean,
  accepted = false,
  rewritten = false,
  where?: string,
): Pairing {
  if (sameSystem && source.native === target.native && source.oneWay === true) {
    const hidden = hiddenMembersText(source.native)
    throw new SluiceError('UNSUPPORTED_TYPE', `${source.name} (${source.native}) cannot be copied unchanged`, {
      where,
      reason: hidden ?? 'the type has several members, and the text of a value does not identify its member',
      hint:
        hidden === null
          ? 'exclude the column with --columns, or give the column of the target a text type'
          : 'create the table in the target first, with VARCHAR for this column; or exclude the column with --columns',
    })
  }
  if (sameSystem && source.native === target.native && source.fields !== target.fields) {
    throw new SluiceError(
      'UNSUPPORTED_TYPE',
      `${source.name} cannot be copied: ${source.native} has other fields in the target`,
      {
        where,
        ...OTHER_FIELDS,
      },
    )
  }
  const unchanged = sameSystem && source.native === target.native ? { as: verbatim(source) } : null
  const special = unchanged ?? (rewritten ? null : (betweenJson(source, target) ?? betweenGeometries(source, target)))
  const pairing = special ?? paired(source, target, accepted, where)
  return source.textLoses === undefined ? pairing : { ...pairing, lossy: source.textLoses }
}

/** Transfers JSON as written, or names the loss if the target normalizes JSON. Null for other pairs. */
function betweenJson(source: Column, target: Column): Pairing | null {
  const isText = source.type.kind === 'text' && source.type.padded !== true
  if (target.type.kind === 'json' && target.spelled === true) {
    return isText || source.spelled === true ? { as: { kind: 'json', spelled: true } } : null
  }
  if (source.spelled !== true) return null
  if (target.type.kind === 'text') return { as: { kind: 'json', spelled: true } }
  if (target.type.kind !== 'json') return null
  return { as: { kind: 'json' }, lossy: 'duplicate names, blanks and the spelling of numbers in JSON are not kept' }
}

/** Geometries become texts that other systems can read, and such texts become geometries. */
function betweenGeometries(source: Column, target: Column): Pairing | null {
  const name = source.portable ?? target.portable
  if (name === undefined || (source.type.kind !== 'text' && target.type.kind !== 'text')) return null
  return { as: { kind: 'native', name } }
}

function paired(source: Column, target: Column, accepted: boolean, where: string | undefined): Pairing {
  const pairing = between(source.type, target.type, accepted)
  if (pairing !== null) return pairing
  throw new SluiceError(
    'UNSUPPORTED_TYPE',
    `${source.name} (${source.native}) cannot become ${target.name} (${target.native})`,
    {
      where,
      hint: 'exclude the column with --columns, or give the column of the target a text type',
    },
  )
}

/** Between equal types of one system, the system's own text is exact; a canonical form would lose the spelling. */
function verbatim({ type, native }: Column): ColumnType {
  const isSpelled = type.kind === 'decimal' && type.spelled === true
  return isSpelled || type.kind === 'json' || type.kind === 'list' ? { kind: 'native', name: native } : type
}

function between(source: ColumnType, target: ColumnType, accepted: boolean): Pairing | null {
  if (target.kind === 'text') return intoText(source, target)
  if (source.kind === 'text') return fromText(source, target)
  switch (source.kind) {
    case 'bool':
      return target.kind === 'bool' || target.kind === 'int' ? { as: source } : null
    case 'int':
      return fromInteger(source, target)
    case 'decimal':
      return fromDecimal(source, target, accepted)
    case 'float':
      return fromFloat(source, target)
    case 'bytes':
    case 'uuid':
    case 'json':
      return target.kind === source.kind ? { as: source } : null
    case 'date':
      return target.kind === 'date' || target.kind === 'timestamp' ? { as: source } : null
    case 'time':
      return target.kind === 'time' ? shorter(source, source.digits, target.digits) : null
    case 'timestamp':
      return fromTimestamp(source, target)
    case 'list':
      if (target.kind === 'list') return sameItems(source.of, target.of) ? { as: source } : null
      return target.kind === 'json' ? { as: source } : null
    case 'native':
      return target.kind === 'native' && target.name === source.name ? { as: source } : null
  }
}

/** Item kinds that JSON spells in only one way and every system reads alike. */
const PLAIN_ITEMS: ReadonlySet<ColumnType['kind']> = new Set(['bool', 'int', 'text', 'uuid'])

function sameItems(source: ColumnType, target: ColumnType): boolean {
  return source.kind === target.kind && PLAIN_ITEMS.has(source.kind)
}

function intoText(source: ColumnType, target: ColumnType & { kind: 'text' }): Pairing | null {
  switch (source.kind) {
    case 'bytes':
      return null
    case 'text':
      if (target.padded === true && source.padded !== true) {
        return { as: target, lossy: 'blanks at the end of a text are not kept' }
      }
      return { as: source }
    default:
      return { as: source }
  }
}

/** A text column with values of a stricter type: each value is checked, and rows with other values are quarantined. */
function fromText(source: ColumnType & { kind: 'text' }, target: ColumnType): Pairing | null {
  switch (target.kind) {
    case 'bytes':
    case 'list':
      return null
    case 'native':
      return { as: source }
    case 'float':
      return { as: target, lossy: 'digits beyond those of a floating point number are not kept' }
    default:
      return { as: target }
  }
}

function fromInteger(source: ColumnType & { kind: 'int' }, target: ColumnType): Pairing | null {
  // The target refuses numbers too large for a smaller type, row by row.
  if (target.kind === 'int') return { as: source }
  if (target.kind === 'decimal') return { as: source }
  if (target.kind !== 'float') return null
  const exact = target.bits === 64 ? source.bits <= 32 : source.bits <= 24
  return exact ? { as: source } : { as: target, lossy: 'large numbers lose their last digits' }
}

function fromDecimal(source: ColumnType & { kind: 'decimal' }, target: ColumnType, accepted: boolean): Pairing | null {
  if (target.kind === 'float' && target.bits === 64 && !accepted && fitsDouble(source.precision, source.scale))
    return { as: source }
  if (target.kind === 'float') return { as: target, lossy: 'decimals become floating point numbers' }
  if (target.kind === 'int') {
    return source.scale === 0 ? { as: source } : { as: { ...source, cut: 0 }, lossy: 'rounded to whole numbers' }
  }
  if (target.kind !== 'decimal') return null
  if (target.precision === undefined) return { as: source }
  const scale = target.scale ?? 0
  if (source.scale !== undefined && source.scale <= scale) return { as: source }
  return { as: { ...source, cut: scale }, lossy: `rounded to ${scale} decimal places` }
}

function fromFloat(source: ColumnType & { kind: 'float' }, target: ColumnType): Pairing | null {
  if (target.kind === 'float') {
    return source.bits <= target.bits ? { as: source } : { as: target, lossy: 'rounded to single precision' }
  }
  if (target.kind !== 'decimal') return null
  const cut = target.precision === undefined ? {} : { cut: target.scale ?? 0 }
  return { as: { kind: 'decimal', ...cut }, lossy: 'floating point numbers become decimals' }
}

function fromTimestamp(source: ColumnType & { kind: 'timestamp' }, target: ColumnType): Pairing | null {
  if (target.kind === 'date') return { as: { kind: 'date', cut: true }, lossy: 'the time of day is not kept' }
  if (target.kind !== 'timestamp') return null
  const pairing = shorter(source, source.digits, target.digits)
  // A timestamp with a zone becomes UTC in a column without a zone. In the other direction, the meaning of the time is
  // unknown.
  if (source.zone || !target.zone) return pairing
  return { ...pairing, lossy: 'a time without a zone is read as UTC' }
}

function shorter(source: ColumnType & { kind: 'time' | 'timestamp' }, has: number, keeps: number): Pairing {
  return has <= keeps ? { as: source } : { as: { ...source, cut: keeps }, lossy: `cut to ${keeps} digits of a second` }
}

/** A column of a system, with the largest lengths of its types. */
export type SizedColumn = Pick<Column, 'type' | 'native'> & Pick<StoreAbilities, 'lengths'>

/** True if `other` refuses or changes some of the values that `column` stores; false if none, or if it is unknown. */
export function isNarrower(column: SizedColumn, other: SizedColumn): boolean {
  const [type, into] = [column.type, other.type]
  if (type.kind === 'list' && into.kind === 'list')
    return isNarrower({ ...column, type: type.of }, { ...other, type: into.of })
  const [size, room] = [lengthOf(column), lengthOf(other)]
  if (type.kind === 'native')
    return into.kind === 'native' && column.native.split('(')[0] === other.native.split('(')[0] && room < size
  if (type.kind === 'text' && into.kind !== 'text') return into.kind !== 'native'
  if (into.kind === 'text' || into.kind === 'bytes') return type.kind === into.kind && room < size
  const [digits, least] = [numberRange(type), numberRange(into)]
  if (digits !== null && least !== null && (digits.low < least.low || digits.high > least.high)) return true
  return between(type, into, false)?.lossy !== undefined
}

/** Largest length of a text, of bytes or of a value of the system, in its own unit; Infinity without a limit. */
function lengthOf({ type, native, lengths }: SizedColumn): number {
  if (type.kind === 'text' && type.most !== undefined) return type.most
  return Number(/\((\d+)\)/.exec(native)?.[1] ?? lengths?.[native] ?? Infinity)
}

/** Smallest and largest whole number of a type; null for other types, and for decimals without a limit. */
function numberRange(type: ColumnType): { readonly low: bigint; readonly high: bigint } | null {
  if (type.kind === 'int') {
    const [low, high] = wholeLimits(type.bits, type.unsigned === true)
    return { low: BigInt(low), high: BigInt(high) }
  }
  if (type.kind !== 'decimal' || type.precision === undefined) return null
  const high = 10n ** BigInt(Math.max(0, type.precision - (type.scale ?? 0))) - 1n
  return { low: -high, high }
}
