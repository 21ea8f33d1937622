/** By what a table is known under another name, in the ledger. */
import type { TableName } from '../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../model/copy/port.ts'
import type { Witness } from './record.ts'

/** Takes the place of the witness before. @param witness null where the table has none: its name alone tells it then */
export async function noteWitness(
  database: LedgerDatabase,
  { schema, name }: TableName,
  witness: Witness | null,
): Promise<void> {
  await database.batch([
    {
      sql: 'UPDATE migration_archives SET witness = ? WHERE schema_name = ? AND table_name = ?',
      parameters: [witness === null ? null : JSON.stringify(witness), schema ?? '', name],
    },
  ])
}
