/** Finds the value that was too large, after an export failed because of it. */
import { constants } from 'node:buffer'
import { keyPart } from '../../model/copy/row-key.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'
import { sizeText } from '../../shared/figures.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { CopyStore } from '../../model/copy/port.ts'
import type { RowRequest } from '../../model/copy/source-port.ts'
import type { ArchiveContext } from './context.ts'

/** Largest value, bytes, on every system: its hexadecimal digits fit into a Node string with the rest of the row. */
const MOST_BYTES = 256_000_000
const ONE_ROW = { rows: 1, bytes: 1 }

/** Messages of Node and PostgreSQL for a text above their limit. */
const TOO_LONG =
  /^(?:Cannot create a string longer than|Invalid string length|invalid memory alloc request size|cannot enlarge string buffer|string buffer exceeds maximum)/i

function isTooLong(thrown: unknown): boolean {
  return thrown instanceof Error && (TOO_LONG.test(thrown.message) || isTooLong(thrown.cause))
}

/**
 * @param thrown error of an export
 * @returns VALUE_REFUSED with key, column and limit if a value was too large; otherwise null. Reads the rows again up
 * to that value; if this fails, the error does not name the value
 */
export async function longValueError(
  thrown: unknown,
  { store, name, interrupt }: Pick<ArchiveContext, 'store' | 'name' | 'interrupt'>,
  request: RowRequest,
): Promise<SluiceError | null> {
  if (!isTooLong(thrown)) return null
  return refused(await firstLong(store, request, interrupt.abort).catch(() => null), name, thrown)
}

/** @throws SluiceError VALUE_REFUSED if the hexadecimal digits of a binary value do not fit into a Node string */
export function refuseLongBytes(
  rows: readonly Row[],
  request: RowRequest,
  { name }: Pick<ArchiveContext, 'name'>,
): void {
  const row = rows.find((cells) =>
    cells.some((cell) => cell instanceof Uint8Array && cell.byteLength * 2 > constants.MAX_STRING_LENGTH),
  )
  if (row !== undefined) throw refused(longOf(row, request), name)
}

function refused(found: Found | null, name: string, cause?: unknown): SluiceError {
  const limit = `the limit for a value in an archive is ${sizeText(MOST_BYTES)}`
  return new SluiceError('VALUE_REFUSED', `${found?.what ?? 'a row has a value that is too large'}: ${limit}`, {
    where: found === null || found.key === '' ? name : `${name}, ${found.key}`,
    kind: 'source',
    reason: 'the partition was not archived',
    hint: 'make the value smaller, or keep it outside of the table, then run the same command again',
    cause,
  })
}

type Found = { readonly what: string; readonly key: string }

async function firstLong(store: CopyStore, request: RowRequest, signal: AbortSignal): Promise<Found | null> {
  // The view of the export may have ended with its failure.
  await using view = await store.source(signal)
  for await (const { rows } of view.read(request, ONE_ROW, signal)) {
    for (const row of rows) {
      const found = longOf(row, request)
      if (found !== null) return found
    }
  }
  return null
}

function longOf(row: Row, { columns, table }: RowRequest): Found | null {
  const at = row.findIndex((cell) => bytesOf(cell) > MOST_BYTES)
  if (at === -1) return null
  const key = columns.flatMap(({ name }, i) => {
    const cell = row[i] ?? null
    return table.key.includes(name) && bytesOf(cell) < 1000 ? [`${name} = ${keyPart(cell)}`] : []
  })
  return { what: `${columns[at]?.name} holds ${sizeText(bytesOf(row[at] ?? null))}`, key: key.join(', ') }
}

function bytesOf(cell: Cell): number {
  if (cell === null) return 0
  return typeof cell === 'number' ? 8 : typeof cell === 'string' ? Buffer.byteLength(cell) : cell.byteLength
}
