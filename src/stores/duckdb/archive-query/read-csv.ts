/** SQL that reads rows in wire form as a table of texts. */
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { wireName } from '../archive/wire-cast.ts'

/** Maximum bytes of a line of the CSV; this many bytes are read at a time. */
export const LINE_BYTES = 32 * 1024 * 1024
const BUFFER_BYTES = 2 * LINE_BYTES

/** FROM clause that reads the file as the table `wire`; the first line of the file is skipped. */
export function readCsv(file: string, columns: number): string {
  const types = Array.from({ length: columns }, (_, i) => `'${wireName(i)}': 'VARCHAR'`).join(', ')
  return (
    `read_csv(${sqlLiteral(file)}, auto_detect = false, header = true, columns = {${types}}, delim = ',', quote = '"', escape = '"', ` +
    `new_line = '\\n', nullstr = '', allow_quoted_nulls = false, comment = '', null_padding = false, strict_mode = true, ` +
    `ignore_errors = false, compression = 'none', parallel = false, ` +
    `max_line_size = ${LINE_BYTES}, buffer_size = ${BUFFER_BYTES}) AS wire`
  )
}
