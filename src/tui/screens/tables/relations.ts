/** Tables of a database: rows of the list, and columns of a table. */
import type { RelationEvent } from '../../../model/run/event.ts'
import { bytes, shownCount, amount } from '../../../render/screen-format.ts'
import { cell, line, rule, span, type Line, type Span } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, width, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import type { Database, State } from '../../state/state.ts'

const ROWS = 15
const SIZE = 10
const KEY = 18
const RESUMABLE = 11
const NAME_CELLS = 20
const MARK_CELLS = 3

/** Column widths. If names would get fewer than 20 cells, the key column is dropped. */
function widths(cells: number): { readonly name: number; readonly key: number } {
  const rest = cells - ROWS - SIZE - RESUMABLE
  const key = Math.min(rest - NAME_CELLS, KEY + Math.floor(Math.max(0, cells - 90) / 3))
  return key >= 10 ? { name: rest - key, key } : { name: Math.max(8, rest), key: 0 }
}

/** @param sorted true: shows the sort arrow */
export function relationHeading(state: State, title: string, cells: number, sorted: boolean): Line {
  const marks = marksOf(state.ascii)
  const { sort, descending } = state.tables
  const { name, key } = widths(cells - MARK_CELLS)
  const arrow = (of: typeof sort): string => (sorted && sort === of ? ` ${descending ? marks.down : marks.up}` : '')
  // The full title if it fits, else only the database.
  const whole = `TABLES OF ${clean(title)}`
  const text = sorted || width(whole) > name ? cutMiddle(clean(title), name) : whole
  const front = sorted ? ' '.repeat(MARK_CELLS) : ' '
  return [
    span(padEnd(front + text + arrow('name'), name + MARK_CELLS), 'strong'),
    cell(`ROWS${arrow('files')}`, -ROWS, 'strong'),
    cell(`SIZE${arrow('bytes')}`, -SIZE, 'strong'),
    ...(key === 0 ? [] : [span(padEnd('  KEY', key), 'strong')]),
    span('  RESUMABLE', 'strong'),
  ]
}

/** Width of the name, and titles of the other columns, for lines that are `cells` wide after their mark. */
export function relationTitles(cells: number): { readonly name: number; readonly titles: readonly Span[] } {
  const { name, key } = widths(cells)
  const titles = [
    cell('ROWS', -ROWS, 'strong'),
    cell('SIZE', -SIZE, 'strong'),
    ...(key === 0 ? [] : [span(padEnd('  KEY', key), 'strong')]),
    span('  RESUMABLE', 'strong'),
  ]
  return { name, titles }
}

/** One table, in `cells` after its mark. @param indent cells before its name, below its store */
export function relationLine(relation: RelationEvent, cells: number, ascii: boolean, indent = 0): readonly Span[] {
  const marks = marksOf(ascii)
  const { name, key } = widths(cells)
  const rows = rowsText(relation, '~')
  return [
    span(padEnd(' '.repeat(indent) + cutMiddle(clean(relation.table), name - 1 - indent), name)),
    cell(rows, -ROWS),
    cell(bytes(Number(relation.bytes)), -SIZE),
    ...(key === 0
      ? []
      : [span(padEnd(`  ${cutEnd(keyOf(relation), key - 2)}`, key), relation.key.length === 0 ? 'muted' : 'plain')]),
    relation.resumable ? span(`  ${marks.ok} yes`, 'ok') : span(`  ${marks.none} no`, 'warn'),
  ]
}

const keyOf = ({ key }: RelationEvent): string => (key.length === 0 ? 'none' : clean(key.join(', ')))

/** Reason why no tables are listed below a title. */
export function databaseNote({ state, error, relations }: Database, filter: string, cells: number): Line {
  if (error !== null) return line(cutEnd(`   ${clean(`${error.code} ${error.message}`)}`, cells), 'bad')
  if (state === 'reading') return line('   reading which tables there are …', 'muted')
  if (relations.length > 0) return line(`   no table matches ${clean(filter)} · esc shows all`, 'muted')
  return line('   the database has no tables, or none that this user may see', 'muted')
}

/** Facts about a table other than its columns, in lines at most `cells` wide. */
export function relationFacts(relation: RelationEvent, cells: number): Line[] {
  return lined(factTexts(relation), cells)
}

/** Columns of a table below a title, in lines at most `cells` wide. */
export function relationColumns(relation: RelationEvent, cells: number): Line[] {
  return lined(columnTexts(relation), cells)
}

function lined(texts: readonly string[], cells: number): Line[] {
  return texts.flatMap((text) => {
    if (text.startsWith('# ')) return [rule(text.slice(2), cells)]
    return wrap(clean(text), cells - 2).map((row) => line(` ${row}`))
  })
}

/** Summary below the list on a small screen: the table, its copy or stream, and the totals of all tables. */
export function relationSummary(relation: RelationEvent, all: readonly RelationEvent[], cells: number): Line[] {
  const { table, columns, partitioning, note, resumable } = relation
  const facts = [
    amount(columns.length, 'column'),
    `key ${keyOf(relation)}`,
    ...(partitioning === undefined ? [] : [partitioning]),
  ]
  const size = all.reduce((sum, one) => sum + Number(one.bytes), 0)
  const label = (text: string): Span => span(` ${text.padEnd(9)}`, 'muted')
  const copy = note ?? (resumable ? 'an interrupted one is resumed where it was' : 'an interrupted one restarts')
  const [reported] = ledgerTexts(relation)
  return [
    rule('', cells),
    [span(` ${cutEnd(clean(table), Math.max(20, cells - 30))}  `, 'strong'), span(clean(facts.join(' · ')))],
    reported === undefined ? [label('a copy'), span(clean(copy))] : [label(reported[0]), span(clean(reported[1]))],
    [label('in all'), span(`${amount(all.length, 'table')} · ${bytes(size)}`)],
  ]
}

const fact = (label: string, text: string): string => `${label.padEnd(13)}${text}`

/** Facts and columns of a table as text, with `#` before titles. */
export function relationText(relation: RelationEvent): readonly string[] {
  return [...factTexts(relation), ...columnTexts(relation)]
}

function factTexts(relation: RelationEvent): readonly string[] {
  return [
    fact('table', relation.table),
    fact('rows', isUncounted(relation) ? 'not counted yet: ANALYZE counts them' : rowsText(relation, 'about ')),
    fact('size', bytes(Number(relation.bytes))),
    fact('key', keyOf(relation)),
    fact('partitions', relation.partitioning ?? 'none'),
    fact('resumable', relation.resumable ? 'yes: an interrupted copy is resumed where it was' : 'no'),
    ...ledgerTexts(relation).map(([label, text]) => fact(label, text)),
    ...(relation.ring === undefined ? [] : [fact('ring', ringFact(relation, relation.ring))]),
    ...(relation.note === undefined ? [] : [fact('note', relation.note)]),
  ]
}

/** Facts from the ledger of its database; an active stream first. */
function ledgerTexts({ filled, followed }: RelationEvent): readonly (readonly [string, string])[] {
  return [
    ...(followed === undefined
      ? []
      : [['followed', `by stream ${followed.stream}, ${followed.status}: ${followed.state}`] as const]),
    ...(filled === undefined ? [] : [['copied', filledText(filled)] as const]),
  ]
}

function filledText({ rows, chunks, done, proved, at, source }: NonNullable<RelationEvent['filled']>): string {
  const whole = done === chunks ? '' : `, ${shownCount(Number(done))} of ${amount(Number(chunks), 'chunk')} done`
  const proof =
    proved === done
      ? 'checksums were equal'
      : proved === '0'
        ? 'checksums were not compared'
        : `checksums equal in ${shownCount(Number(proved))}`
  const when = at === undefined ? '' : ` · ${at.slice(0, 16).replace('T', ' ')} UTC`
  return `${amount(Number(rows), 'row')}${whole} · ${proof}${when}${source === undefined ? '' : ` · from ${source}`}`
}

function ringFact({ key }: RelationEvent, { partitioner, columns }: NonNullable<RelationEvent['ring']>): string {
  return `${partitioner} tokens of ${key.slice(0, columns).join(', ')}: t shows how rows lie on it`
}

function columnTexts({ columns }: RelationEvent): readonly string[] {
  const name = Math.min(40, Math.max(6, ...columns.map((column) => column.name.length)) + 2)
  return [
    '',
    `# ${amount(columns.length, 'column')}`,
    ...columns.map((column) => `${column.name.padEnd(name)}${column.type}${column.nullable ? '' : '  not null'}`),
  ]
}

/** Largest size of an empty table with its indexes, bytes. */
const EMPTY_BYTES = 100_000

/** True if the system has not counted rows yet: it estimates 0, but the table takes more than `EMPTY_BYTES`. */
function isUncounted({ estimated, rows, bytes: size }: RelationEvent): boolean {
  return estimated && rows === '0' && Number(size) > EMPTY_BYTES
}

function rowsText(relation: RelationEvent, about: string): string {
  if (isUncounted(relation)) return '?'
  return `${relation.estimated && relation.rows !== '0' ? about : ''}${shownCount(Number(relation.rows))}`
}
