/** Effects of a service's limits on a copy: requests, their duration, and the quotas of its price plans. */
import { grouped, sizeText } from '../../../shared/figures.ts'
import { dec, type CopyPlanLine } from '../../../model/run/event.ts'
import type { StoreAbilities } from '../../../model/copy/abilities.ts'

const REQUEST_BYTES = 4n * 1024n * 1024n
/** Share of the service's limit that a copy uses: other programs may use the same token. */
const SHARE = 5 / 6

export type Amount = { readonly rows: bigint; readonly bytes: bigint; readonly chunks: bigint }

/** Number of requests of a copy, and time that the limit adds, ms; empty for a target without a limit of requests. */
export function serviceLimits(
  { requests }: StoreAbilities,
  amount: Amount,
): Pick<CopyPlanLine, 'requests' | 'requestMs'> {
  if (requests === undefined) return {}
  const count = requestsOf(amount)
  // Requests that fit into the first period need not be spread.
  const most = requests.most * SHARE
  const spread = Math.max(0, Number(count) - most)
  return { requests: dec(count), requestMs: Math.round((spread * requests.seconds * 1000) / most) }
}

/** Notes on the quotas of the service, and on those that the copy exceeds; empty for a service without quotas. */
export function quotaNotes({ quotas = [] }: StoreAbilities, { rows, bytes }: Amount): readonly string[] {
  if (quotas.length === 0) return []
  const texts = quotas.map(({ plan, rowsADay, bytes: most }) => {
    const facts = [
      ...(rowsADay === undefined ? [] : [`${grouped(rowsADay)} rows written a day`]),
      ...(most === undefined ? [] : [`a database of ${sizeText(most, 0)}`]),
    ]
    return `${plan}: ${facts.join(' and ')}`
  })
  const needs: string[] = []
  for (const { plan, rowsADay = null, bytes: most = null } of quotas) {
    if (rowsADay !== null && rows > BigInt(rowsADay))
      needs.push(`on ${plan} it takes ${grouped(Math.ceil(Number(rows) / rowsADay))} days`)
    if (most !== null && bytes > BigInt(most)) needs.push(`it does not fit into ${plan}`)
  }
  const need = needs.length === 0 ? '' : `; ${needs.join(', ')}`
  return [`quotas of the service: ${texts.join('; ')}${need}`]
}

/**
 * Approximate number of requests, from measurements of real copies. Each chunk needs requests for its claim, its guard
 * and its end; its rows are written and read back in pieces.
 */
function requestsOf({ chunks, bytes }: Amount): bigint {
  return 20n + chunks * 9n + (bytes / REQUEST_BYTES) * 2n
}
