/** A store as a line of the tree, and its facts. */
import { bytes, shownTime, msOf, amount } from '../../../render/screen-format.ts'
import { fit, line, lineWidth, rule, span, spreadLine, type Line, type Span } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { Database, State } from '../../state/state.ts'
import { storeState, type StoreRow } from './stores.ts'
import { runMark } from '../../views/states.ts'
import { relationTitles } from './relations.ts'

const databaseOf = (state: State, row: StoreRow): Database | null =>
  state.databases.find(({ parent }) => parent === row.key) ?? null

type StoreState = { readonly text: string; readonly tone: Span['tone']; readonly error: ErrorInfo | null }

function storeStateOf(state: State, row: StoreRow): StoreState {
  const { store, count } = row
  const reported = count === null ? '' : amount(count, 'table')
  if (store === null) return { text: reported, tone: 'muted', error: null }
  const now = storeState(store, databaseOf(state, row))
  const { failure } = now
  if (failure !== null) {
    const text = `${marksOf(state.ascii).bad} ${failure.reason ?? failure.message}`
    return { text, tone: 'bad', error: failure }
  }
  if (now.state === 'reading') return { text: count === null ? 'reading …' : reported, tone: 'muted', error: null }
  if (now.state === 'unread') return { text: 'not read yet', tone: 'muted', error: null }
  return { text: reported, tone: 'muted', error: null }
}

/** The line of a store after its mark, in `cells`. The line of an open database has the column titles. */
export function storeLine(state: State, row: StoreRow, cells: number): Line {
  const marks = marksOf(state.ascii)
  const { text, tone, error } = storeStateOf(state, row)
  const head: Line = [span(`${row.open ? marks.open : marks.folded} `, 'info'), span(clean(row.name), 'strong')]
  const place = row.location === row.name ? '' : `  ${clean(row.location)}`
  const database = databaseOf(state, row)
  if (row.open && error === null && database !== null && database.relations.length > 0) {
    const { name, titles } = relationTitles(cells)
    return [...fit([...head, span(place, 'muted')], name), ...titles]
  }
  const room = Math.max(0, cells - lineWidth(head) - 2)
  const said = cutEnd(clean(text), Math.max(0, room - 1))
  const left = Math.max(0, room - said.length - 2)
  return spreadLine([...head, span(left < 8 ? '' : cutMiddle(place, left), 'muted')], line(`${said} `, tone), cells)
}

/** Facts about a store, in lines at most `cells` wide. */
export function storeFacts(state: State, row: StoreRow, cells: number): Line[] {
  const { error } = storeStateOf(state, row)
  const database = databaseOf(state, row)
  const tables = row.store?.kind === 'lake' ? row.store.tables : []
  const size = [...tables, ...(database?.relations ?? [])].reduce((sum, one) => sum + Number(one.bytes ?? 0), 0)
  const facts =
    row.count === null
      ? ['its contents are not read yet: enter reads them']
      : [`${amount(row.count, 'table')}, ${bytes(size)}`]
  const why =
    error === null
      ? row.store === null
        ? []
        : facts
      : [
          `${error.code}: ${error.message}`,
          ...(error.reason === undefined ? [] : [error.reason]),
          ...(error.where === undefined ? [] : [`at ${error.where}`]),
          ...(error.hint === undefined ? [] : [`do: ${error.hint}`]),
          'R asks it again',
        ]
  const said = why.flatMap((text, i) =>
    wrap(clean(text), cells - 2).map((one) => line(` ${one}`, error !== null && i === 0 ? 'bad' : 'plain')),
  )
  const head = line(` ${cutMiddle(clean(row.location), cells - 2)}`, 'strong')
  return [head, ...said, ...copyLines(state, row, cells)]
}

/** Copies into the store, the newest first. */
function copyLines(state: State, { store }: StoreRow, cells: number): Line[] {
  if (store === null || store.copies.length === 0) return []
  const marks = marksOf(state.ascii)
  const lines = store.copies.map(({ operation, source, status, rows, startedAt }) => {
    const when = shownTime(msOf(startedAt), state.now)
    const what = `${operation} ${status}, ${amount(Number(rows), 'row')} from ${clean(source)}`
    return fit([span(` ${padEnd(when, 11)} `), runMark(status, marks), span(` ${what}`)], cells)
  })
  return [[], rule('copies into this store', cells), ...lines]
}

/** Summary below the list on a small screen. */
export function storeSummary(state: State, row: StoreRow, cells: number): Line[] {
  return [rule('', cells), ...storeFacts(state, row, cells).slice(0, 3)]
}
