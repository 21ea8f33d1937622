/** What a statement can name, where it is going to be asked. */
import { knownNames } from '../known-names.ts'
import { openAsked } from './pages.ts'
import type { AskPlace, AskRelation } from './port.ts'

/**
 * @param place with its whole URL
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
