/** Rows of a range in canonical form. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { RowRequest } from '../../../model/copy/source-port.ts'
import { isRefusedValue, type MistypedRows } from '../../common/as-stored.ts'
import { keyListParts } from '../../common/key-parts.ts'
import type { D1Client } from '../client.ts'
import { d1Pages, type D1PageRequest } from './pages.ts'
import { d1Decoder } from './select.ts'

export type D1Scan = D1PageRequest & {
  readonly onRefused?: RowRequest['onRefused']
  /** Set that collects rows with a value that does not fit its column's type; see `RowRequest.asStored`. */
  readonly odd?: MistypedRows
}

export type Scanned = { readonly rows: readonly Row[]; readonly bytes: number }

/** Key values per statement, which takes a hundred parameters. */
export const MOST_KEY_PARAMETERS = 80

/** @throws D1Failure; SluiceError VALUE_REFUSED, unless `onRefused` takes such rows; as `d1Pages` */
export async function* d1Scan(client: D1Client, request: D1Scan, signal: AbortSignal): AsyncGenerator<Scanned> {
  const { columns, table, blame, onRefused, odd } = request
  const decoder = d1Decoder(columns, tableText(table.table), blame, odd && { key: table.key, odd })
  for (const range of keyListParts(request.range, table.key.length, MOST_KEY_PARAMETERS)) {
    for await (const { rows: found, from, bytes, broken } of d1Pages(client, { ...request, range }, signal)) {
      const rows: Row[] = []
      for (const [at, values] of found.entries()) {
        try {
          rows.push(decoder.row(values, from, broken.get(at)))
        } catch (error) {
          if (onRefused === undefined || !isRefusedValue(error)) throw error
          onRefused(decoder.shown(values, from), error)
        }
      }
      yield { rows, bytes }
    }
  }
}
