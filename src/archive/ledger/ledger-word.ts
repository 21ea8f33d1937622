/** What a decision about an archive rests on, in few bytes: asked again before each step that cannot be taken back. */
import type { TableName } from '../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../model/copy/port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'

/**
 * Heads of the log, and of each partition its state, its fence and whether the log has let go of it. The same text is the same ledger: heads are random numbers, so that a
 * database that came back from a backup and went on does not come to it again.
 * @throws SluiceError CONNECTION_LOST … where the database does not answer
 */
export async function ledgerWord(database: LedgerDatabase, { schema, name }: TableName): Promise<string> {
  const { castText } = ledgerDialect(database.dialect).types
  const of = (table: string, columns: readonly string[]): { readonly sql: string; readonly parameters: string[] } => ({
    sql: `SELECT ${columns.map((column) => `CAST(${column} AS ${castText})`).join(', ')} FROM ${table}
          WHERE schema_name = ? AND table_name = ? ORDER BY ${columns[0]}`,
    parameters: [schema ?? '', name],
  })
  const answers = await database.batch([
    of('migration_archive_heads', ['head', 'state']),
    of('migration_archive_partitions', ['partition_name', 'fence', 'state', 'retracted']),
  ])
  return JSON.stringify(answers.map((rows) => rows.map((row) => row.map(String))))
}
