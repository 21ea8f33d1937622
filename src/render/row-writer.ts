/** Writes rows of `sluice sql` on stdout: an aligned table, CSV by RFC 4180, or one JSON object per row. */
import type { RowFormat } from '../model/run/row-format.ts'
import type { RowValue } from '../model/run/event.ts'
import { uniqueNames } from '../shared/unique-names.ts'
import { visibleJson, visible } from '../shared/visible.ts'
import type { TableColumn } from './column.ts'
import { tableWriter, type TableWriter } from './text-table.ts'

export type RowWriter = {
  columns(names: readonly string[]): void
  row(values: readonly RowValue[]): void
  /** Writes the buffered rows. */
  end(): void
}

type DrawnValue = {
  readonly text?: (value: string) => string
  /** Text for NULL. */
  readonly none?: string
}

/** How columns of an aligned table are drawn, by name. */
export type Drawn = {
  readonly room?: number | undefined
  readonly columns: Readonly<Record<string, Partial<TableColumn> & DrawnValue>>
}

export function rowWriter(format: RowFormat, write: (text: string) => void, drawn: Drawn = { columns: {} }): RowWriter {
  if (format === 'csv') return csvWriter(write)
  return format === 'json' ? jsonWriter(write) : alignedWriter(write, drawn)
}

/** Numbers are right-aligned; a column whose first value is NULL is aligned as text. */
function alignedWriter(write: (text: string) => void, { room, columns }: Drawn): RowWriter {
  let names: readonly string[] = []
  let table: TableWriter | null = null
  return {
    columns: (given) => (names = given.map(visible)),
    row: (values) => {
      table ??= tableWriter(
        names.map((title, i) => ({
          title,
          align: typeof values[i] === 'number' ? 'right' : 'left',
          ...columns[title],
        })),
        write,
        room,
      )
      table.row(
        values.map((value, i) => {
          const { text, none = 'NULL' } = columns[names[i] ?? ''] ?? {}
          if (value === null) return none
          // NULL is distinguished from the text `NULL`.
          const shown = value === none && text === undefined ? `'${none}'` : String(value)
          return visible(text === undefined ? shown : text(shown))
        }),
      )
    },
    end: () => {
      if (table === null && names.length > 0) write(`${names.join('  ')}\n`)
      table?.end()
      table = null
      names = []
    },
  }
}

/** NULL is an empty field, and an empty text is a pair of quotes. */
function csvWriter(write: (text: string) => void): RowWriter {
  const cell = (value: RowValue): string => {
    if (value === null) return ''
    const text = String(value)
    return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const line = (values: readonly RowValue[]): void => write(`${values.map(cell).join(',')}\r\n`)
  return { columns: line, row: line, end: () => undefined }
}

/** Columns with the same name get a number. */
function jsonWriter(write: (text: string) => void): RowWriter {
  let keys: readonly string[] = []
  return {
    columns: (names) => (keys = uniqueNames(names)),
    row: (values) => {
      // Each member is serialized separately, because an object would move keys that look like numbers to its front.
      const members = values.map((value, i) => `${visibleJson(keys[i] ?? '')}:${visibleJson(value)}`)
      write(`{${members.join(',')}}\n`)
    },
    end: () => undefined,
  }
}
