/** Resolves store names with this machine's config file. */
import { SluiceError } from '../../shared/errors.ts'

/** A store of the config file. */
export type NamedUrl = { readonly name: string; readonly url: string }

/** @throws SluiceError BAD_CONFIG for a name that this machine does not have */
export function ownUrl(name: string, known: readonly NamedUrl[]): string {
  const found = known.find((store) => store.name === name)
  if (found !== undefined) return found.url
  const names = known.map((store) => store.name)
  throw new SluiceError('BAD_CONFIG', `this worker has no store ${name}`, {
    hint: `add ${name} under "stores" in the config file of this worker${names.length === 0 ? '' : `; the file has ${names.join(', ')}`}`,
  })
}
