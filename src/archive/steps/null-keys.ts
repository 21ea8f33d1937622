/** Refuses rows with NULL in a key column: the key does not identify them, so they cannot be archived. */
import { keyMayBeNull, tableText } from '../../model/copy/column-type.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { RowRequest, SourceView } from '../../model/copy/source-port.ts'
import { countText } from '../../shared/figures.ts'

/** @returns number of rows of a request with NULL in a key column @throws as `SourceView.digest` */
export async function nullKeyRows(view: SourceView, request: RowRequest, signal: AbortSignal): Promise<bigint> {
  const { table } = request
  if (keyMayBeNull(table).length === 0) return 0n
  const columns = request.columns.filter(({ name }) => table.key.includes(name))
  const { rows } = await view.digest({ ...request, columns, range: { by: 'nullKey' } }, signal)
  return rows
}

/** Text such as `2020-Q1 has 1 row with NULL in its key (email)`. */
export function nullKeyText(label: string, rows: bigint, { table }: Pick<RowRequest, 'table'>): string {
  return `${label} has ${countText(rows, 'row')} with NULL in ${rows === 1n ? 'its key' : 'their keys'} (${keyMayBeNull(table).join(', ')})`
}

/** Hint of errors about rows with NULL in a key column. */
export const NULL_KEY_HINT =
  'give these rows a key, or remove them, then run the same command again; NOT NULL on the key columns prevents new ones'

/** @throws SluiceError UNSUPPORTED_KEY if a row has no key: it could not be removed or recognised later */
export async function refuseNullKeys(
  label: string,
  view: SourceView,
  request: RowRequest,
  signal: AbortSignal,
): Promise<void> {
  const rows = await nullKeyRows(view, request, signal)
  if (rows === 0n) return
  throw new SluiceError(
    'UNSUPPORTED_KEY',
    `${tableText(request.table.table)} cannot be archived: ${nullKeyText(label, rows, request)}`,
    {
      where: `${tableText(request.table.table)}, ${label}`,
      reason: 'rows without a key cannot be distinguished, so an archive could not remove and restore them one by one',
      hint: NULL_KEY_HINT,
    },
  )
}
