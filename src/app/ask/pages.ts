/** Runs one statement on a catalog, a database, or a table with its archive. Connections are read-only. */
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { QuerySourcesEvent } from '../../model/archive/events.ts'
import { openArchiveQuery } from '../../stores/parquet.ts'
import type { QueryPage, SqlDatabase, SqlRow } from '../../model/run/sql-port.ts'
import { answer } from '../../archive/query/answer.ts'
import { openSourceStore } from '../../engine/copy/open-stores.ts'
import { queriedTable } from '../../archive/query/table-named.ts'
import { openCatalogDatabase, openLake } from '../../engine/run/registry.ts'
import { booleansOf, gridRow } from '../../engine/run/row-value.ts'
import { systemOf, titlesOf } from '../../engine/run/systems.ts'
import { knownNames } from '../known-names.ts'
import { holdsCatalog, withoutCatalogTexts } from './plain-database.ts'
import type { AskPlace, AskQuestion, AskRelation } from './port.ts'

const PAGE_ROWS = 500
const EXPLAINS = /^\s*explain\b/i
/** Trailing semicolon. It is removed because the SQL of cursors and views must not have one. */
const END = /;\s*$/

/** Receives the rows. The next page is read after `rows` has resolved. */
export type AnswerSink = {
  columns(names: readonly string[], types?: QueryPage['types']): void
  rows(rows: readonly SqlRow[]): Promise<void>
  note(text: string): void
}

/**
 * @param question a statement with the full URL, which may contain a password
 * @throws SluiceError BAD_QUERY, UNSUPPORTED_URL, CONNECT_FAILED …; the signal's reason, once the statement has ended
 */
export async function askInto(
  { place, sql, explain }: AskQuestion,
  sink: AnswerSink,
  signal: AbortSignal,
): Promise<void> {
  const text = sql.replace(END, '')
  if (text.trim() === '')
    throw new SluiceError('BAD_QUERY', 'no statement was entered', { hint: 'type a statement first' })
  if (place.kind === 'archive') return await askArchive(place, text, explain, sink, signal)
  const ask = async (database: SqlDatabase): Promise<void> => {
    const asked = explain && !EXPLAINS.test(text) ? `${database.explains} ${text}` : text
    let named = false
    for await (const { columns, types, rows } of database.query(asked, { pageRows: PAGE_ROWS, signal })) {
      throwIfAborted(signal)
      if (!named) sink.columns(columns, types)
      named = true
      const booleans = booleansOf(types)
      await sink.rows(booleans.size === 0 ? rows : rows.map((row) => gridRow(row, booleans)))
      throwIfAborted(signal)
    }
  }
  const isPlain = place.kind === 'database'
  // A catalog URL may name a database without a catalog, which can be queried too.
  await using database = await openAsked(place.url).catch((error: unknown) => {
    throw isPlain ? withoutCatalogTexts(error) : error
  })
  try {
    await ask(database)
  } catch (error) {
    if (signal.aborted || (await holdsCatalog(database))) throw error
    throw withoutCatalogTexts(error)
  }
}

/** @throws SluiceError UNSUPPORTED_URL for a system in which sluice cannot run statements; CONNECT_FAILED … */
export async function openAsked(url: string): Promise<SqlDatabase> {
  if (systemOf(url)?.catalog === undefined) {
    const { title = 'such a database', unasked } = systemOf(url) ?? {}
    throw new SluiceError('UNSUPPORTED_URL', `statements cannot be run in ${title}`, {
      reason: unasked,
      hint: `use a database of ${titlesOf(({ catalog }) => catalog !== undefined)}, or a table with its archive`,
    })
  }
  return await openCatalogDatabase(url, 'read')
}

async function askArchive(
  { url, table }: { readonly url: string; readonly table: string },
  sql: string,
  explain: boolean,
  sink: AnswerSink,
  signal: AbortSignal,
): Promise<void> {
  if (explain) {
    throw new SluiceError('BAD_QUERY', 'a query over a table and its archive cannot be explained', {
      reason: 'the rows of this query are in two systems: the database and the archive',
      hint: 'run the query: its answer shows which parts were read; or explain it in the database alone',
    })
  }
  await using store = await openSourceStore(url)
  const question = {
    store,
    table: await queriedTable(store, table, signal),
    sql,
    limit: Number.MAX_SAFE_INTEGER,
    signal,
    open: openArchiveQuery,
    lake: openLake,
  }
  await answer(
    question,
    async ({ columns, booleans, sources, hasArchive, missingRowNotes, comparisonNotes, pages }) => {
      sink.columns(columns)
      const read = hasArchive
        ? sourcesText(sources)
        : 'no archive of this table is known: these are rows of the database'
      sink.note([read, ...missingRowNotes, ...comparisonNotes].join(' · '))
      for await (const page of pages) {
        throwIfAborted(signal)
        await sink.rows(page.map((row) => gridRow(row, booleans)))
        throwIfAborted(signal)
      }
    },
  )
}

function sourcesText({ partitions, files, unchecked, hotRows, zone }: QuerySourcesEvent): string {
  const bytes = unchecked === undefined ? '' : ' (bytes not checked)'
  return `partitions ${partitions.read} of ${partitions.of} · files ${files.read} of ${files.of}${bytes} · rows still in the table ${hotRows} · times in ${zone}`
}

/**
 * Tables and columns that a statement can name.
 * @param place target of the statement, with the full URL
 * @throws SluiceError CONNECT_FAILED, UNSUPPORTED_URL, NO_SUCH_TABLE …
 */
export async function relationsOf(place: AskPlace, signal: AbortSignal): Promise<readonly AskRelation[]> {
  if (place.kind === 'archive') {
    const columns = await knownNames(place.url, 'column', [place.table], signal)
    return [{ name: place.table, columns: columns.map(({ name, meaning }) => ({ name, type: meaning })) }]
  }
  await using database = await openAsked(place.url)
  return await database.relations()
}
