/** Plans the target column and type of each source column, and refuses what cannot be copied. */
import { tableText, type Column, type ColumnType, type TableSpec } from '../../../model/copy/column-type.ts'
import { codecBetween } from '../../../model/copy/codec.ts'
import { converter } from '../../../model/copy/convert.ts'
import type { ColumnPlan } from '../../../model/copy/plan.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { shellOption, shellQuote } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { pairTypes } from './pair-types.ts'
import type { TableOptions } from './table-options.ts'

/**
 * @param isKey the column belongs to the key of the source
 * @throws SluiceError TABLE_REFUSED, UNSUPPORTED_TYPE, BAD_FLAG
 */
export function planColumn(
  source: Column,
  target: TableSpec,
  { rename, acceptLossy, rewritten, trimmed, derived }: TableOptions,
  sameSystem: boolean,
  isKey: boolean,
): ColumnPlan {
  const to = rename.get(source.name) ?? source.name
  const column = columnCalled(to, target)
  if (column === undefined) {
    throw new SluiceError('TABLE_REFUSED', `the target's ${tableText(target.table)} has no column ${to}`, {
      hint: `add it, or choose columns with --columns or --rename; its columns are ${target.columns.map((one) => one.name).join(', ')}`,
    })
  }
  if (column.generated === true) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `the target generates the values of ${tableText(target.table)}.${to} itself`,
      {
        hint: 'exclude the column with --columns',
      },
    )
  }
  const { codecs } = derived ?? {}
  const converted = codecs === undefined || source.made !== undefined ? null : codecBetween(source, column, codecs)
  const accepted = acceptLossy.includes(source.name)
  const pairing = converted ?? pairTypes(source, column, sameSystem, accepted, rewritten, tableText(target.table))
  if (source.always !== undefined) refuseConstant(source, column, pairing.as)
  const exact = exactBetween(source, column) ?? zerosInto(source, column.type)
  const isWhole = exact !== null && converted === null && !isKey && trimmed !== true
  const whole = isWhole ? { as: { kind: 'native', name: exact } as const } : {}
  return { from: source.name, to: column.name, source, target: column, ...pairing, ...whole }
}

/** Native type of both columns in which values stay unchanged (`Column.exactAs`); null if there is none. */
export function exactBetween({ exactAs, native }: Column, target: Column): string | null {
  return exactAs !== undefined && exactAs === target.exactAs && native === target.native ? exactAs : null
}

function zerosInto({ zeros, native }: Column, target: ColumnType): string | null {
  return zeros === true && target.kind === 'text' && target.padded !== true ? native : null
}

/** The column of exactly this name, or else one whose name differs only in case. */
export function columnCalled(name: string, { columns }: TableSpec): Column | undefined {
  return (
    columns.find((one) => one.name === name) ?? columns.find((one) => one.name.toLowerCase() === name.toLowerCase())
  )
}

/**
 * Refuses two source columns with the same target column: the values of one would be lost. @throws SluiceError
 * TABLE_REFUSED
 */
export function refuseOneColumn(source: TableSpec, columns: readonly ColumnPlan[], to: CopyStore): void {
  const seen = new Map<string, string>()
  for (const { from, to: name } of columns) {
    const folded = to.can.folds?.columns === true ? name.toLowerCase() : name
    const other = seen.get(folded)
    if (other !== undefined) {
      throw new SluiceError(
        'TABLE_REFUSED',
        `columns ${other} and ${from} of ${tableText(source.table)} have the same name in the target`,
        {
          where: to.label,
          hint: `give one of them another name with --rename ${shellQuote(`${from}=NAME`)}, or exclude it with --columns`,
        },
      )
    }
    seen.set(folded, from)
  }
}

/**
 * Refuses a constant that the target column cannot hold: otherwise every row would be refused. @throws SluiceError
 * BAD_FLAG
 */
function refuseConstant({ name, type, always = '' }: Column, target: Column, as: ColumnType): void {
  try {
    converter(type, as)(always)
  } catch (thrown) {
    throw new SluiceError('BAD_FLAG', `${always} is not a value for ${name}: ${asSluiceError(thrown).message}`, {
      hint: `give a value of the type ${target.native}`,
    })
  }
}

/** @throws SluiceError LOSSY_TYPE */
export function refuseLossy(table: TableSpec, columns: readonly ColumnPlan[], accepted: readonly string[]): void {
  const lossy = columns.filter((column) => column.lossy !== undefined && !accepted.includes(column.from))
  if (lossy.length === 0) return
  const lines = lossy.map(
    ({ from, source, target, lossy: why }) => `${from} (${source.native} to ${target.native}): ${why ?? ''}`,
  )
  throw new SluiceError('LOSSY_TYPE', `${tableText(table.table)} would lose data: ${lines.join('; ')}`, {
    hint: `accept it with ${lossy.map(({ from }) => shellOption('--accept-lossy', shellQuote(from))).join(' ')}, or give the target another type`,
  })
}

/** Refuses required columns that get no value. @throws SluiceError TABLE_REFUSED */
export function refuseMissing(target: TableSpec, columns: readonly ColumnPlan[]): void {
  const filled = new Set(columns.map(({ to }) => to))
  const missing = target.columns.filter(
    ({ name, nullable, generated, identity, hasDefault }) =>
      !nullable && generated !== true && identity !== true && hasDefault !== true && !filled.has(name),
  )
  if (missing.length === 0) return
  throw new SluiceError(
    'TABLE_REFUSED',
    `the target's ${tableText(target.table)} needs values for ${missing.map(({ name }) => name).join(', ')}`,
    {
      hint: 'give these columns a default, or copy a column into them with --rename',
    },
  )
}
