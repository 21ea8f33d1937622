/** Columns whose values become texts that a reader may misunderstand. */
import type { ColumnType } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { CopyStore } from '../../../model/copy/port.ts'

type Columns = Pick<TablePlan, 'columns'>

/** One line per kind, for the plan; empty if no such column is copied. */
export function textNotes(plan: Columns): readonly string[] {
  return [
    ...numbersAsText(plan),
    ...shapesAsText(plan),
    ...bytesAsText(plan),
    ...anythingAsText(plan),
    ...membersAsText(plan),
    ...textsAsValues(plan),
  ]
}

/** Columns whose decimals lose trailing zeros. Values are compared as numbers, so the proof reports them as equal. */
export function zeroNotes(
  { columns }: Columns,
  { from, to: target }: Readonly<Record<'from' | 'to', Pick<CopyStore, 'can' | 'system'>>>,
): readonly string[] {
  if (from.can.keepsZeros !== true) return []
  const isSame = from.system === target.system
  const isUnbound = (type: ColumnType): boolean => type.kind === 'decimal' && type.precision === undefined
  const losing = columns.filter(
    ({ source, target: made, as }) =>
      as.kind !== 'native' &&
      isUnbound(source.type) &&
      (isUnbound(made.type) || made.type.kind === 'text') &&
      !(isSame && source.native === made.native),
  )
  return notesOn('trailing zeros are not kept: 6.000 is written and proved as 6', losing)
}

const NUMBERS: ReadonlySet<ColumnType['kind']> = new Set(['int', 'decimal', 'float'])

/** Number columns that become text: queries such as `> 100` would compare characters. */
function numbersAsText({ columns }: Columns): readonly string[] {
  const texts = columns.filter(
    ({ source, target }) =>
      NUMBERS.has(source.type.kind) &&
      source.sortedAs !== 'text' &&
      (target.sortedAs === 'text' || target.type.kind === 'text'),
  )
  return notesOn(
    "numbers become text, and the target compares them as text ('9' > '10')",
    texts,
    ({ target }) => ` (${target.native})`,
  )
}

function shapesAsText({ columns }: Columns): readonly string[] {
  return notesOn(
    'kept as EWKB in hexadecimal digits',
    columns.filter(
      ({ source, target, as }) => as.kind === 'native' && as.name === source.portable && target.type.kind === 'text',
    ),
  )
}

function bytesAsText({ columns }: Columns): readonly string[] {
  return notesOn(
    "kept as the source's own bytes in hexadecimal digits",
    columns.filter(({ source, target }) => source.hexed === true && target.type.kind === 'text'),
  )
}

/** Columns of SQLite without a type. Their values of any type become texts: literals that show the type. */
function anythingAsText({ columns }: Columns): readonly string[] {
  const isAny = ({ type }: Columns['columns'][number]['source']): boolean =>
    type.kind === 'native' && type.name === 'any'
  const texts = columns.filter(({ source, target }) => isAny(source) && target.type.kind === 'text')
  return notesOn("no type in the source: values become literals, 'a' with its quotes, 7, x'ff'", texts, () => '')
}

function membersAsText({ columns }: Columns): readonly string[] {
  const texts = columns.filter(
    ({ source, target }) => source.oneWay === true && source.type.kind === 'native' && target.type.kind === 'text',
  )
  return notesOn('only the text of a value is kept, not its member of the type', texts)
}

/** Texts in columns of a stricter type. Both sides are compared by their values, so the proof reports them as equal. */
function textsAsValues({ columns }: Columns): readonly string[] {
  const values = columns.filter(
    ({ source, as, codec }) =>
      codec === undefined &&
      source.type.kind === 'text' &&
      !TEXTS.has(as.kind) &&
      !(as.kind === 'json' && as.spelled === true),
  )
  return notesOn(
    "a text becomes a value of the column's type and loses its spelling ('007' becomes 7)",
    values,
    ({ source, target }) => ` (${source.native} to ${target.native})`,
  )
}

const TEXTS: ReadonlySet<ColumnType['kind']> = new Set(['text', 'native', 'bytes', 'list'])

/** @param behind returns the text after the name of a column; default: its type in the source */
function notesOn(
  what: string,
  columns: Columns['columns'],
  behind = ({ source }: Columns['columns'][number]): string => ` (${source.native})`,
): readonly string[] {
  if (columns.length === 0) return []
  return [`${what}: ${columns.map((column) => column.to + behind(column)).join(', ')}`]
}
