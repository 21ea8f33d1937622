/** Names of tables in the ledger, as people write them. */
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { namePattern, type LetterCase } from '../../shared/name-pattern.ts'

const PART = /"(?:[^"]|"")+"|[^".*]+/.source
const QUOTED = new RegExp(`^(?:(${PART})\\.)?(${PART})$`, 'su')

/** The test that a pattern means a table: its name, with or without the schema, `*` for any characters, or both in double quotes as in SQL. */
export function tablePattern(pattern: string, letters: LetterCase): (table: TableName) => boolean {
  const fits = namePattern(pattern, letters)
  const [, schema, name] = (pattern.includes('"') ? QUOTED.exec(pattern) : null) ?? []
  return (table) =>
    fits(tableText(table)) ||
    fits(table.name) ||
    (name !== undefined && table.name === bare(name) && (schema === undefined || table.schema === bare(schema)))
}

function bare(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part
}
