/** Decides whether an operation can be shared, divides it into tasks, and replaces URLs by names. */
import { existsSync } from 'node:fs'
import { SluiceError } from '../../shared/errors.ts'
import { isS3Url } from '../../model/lake/lake-url.ts'
import { redactUrl } from '../../shared/redact.ts'
import { ownUrl, type NamedUrl } from '../../model/share/own-url.ts'
import { commandNameOf, declarationOf, isPlanOnly, storesOf, urlsOf, withUrls } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'

/**
 * How the work is divided. `chunks`: every task runs the whole operation, and the ledger coordinates their chunks.
 * `parts`: each task does one part of the operation; a single task does all of it. One worker at a time processes a
 * task. `stream`: one task runs the whole operation; the other tasks copy and compare on its request.
 */
export type Sharing =
  | { readonly by: 'chunks' }
  | { readonly by: 'stream' }
  | { readonly by: 'parts'; readonly parts: readonly { readonly about: string; readonly operation: Operation }[] }

/** @throws SluiceError BAD_FLAG if the operation cannot be shared */
export function sharingOf(operation: Operation): Sharing {
  const { distributes } = declarationOf(operation.kind)
  const command = commandNameOf(operation.kind)
  if (distributes === undefined) {
    throw new SluiceError('BAD_FLAG', `${command} cannot be run by workers`, {
      hint: 'remove --distributed',
    })
  }
  if (isPlanOnly(operation)) {
    throw new SluiceError(
      'BAD_FLAG',
      '--dry-run and --distributed cannot be combined: the plan is made on this machine',
      {
        hint: 'remove one of the two',
      },
    )
  }
  const fields = new Map<string, unknown>(Object.entries(operation))
  const isOn = (field: string): boolean => ![undefined, false].includes(fields.get(field) as undefined)
  const { by, unless = [], field, stream } = distributes
  if (stream === true || (stream !== undefined && isOn(stream))) return { by: 'stream' }
  if (by === 'chunks' && !unless.some(isOn)) return { by: 'chunks' }
  const names = field === undefined ? [] : [fields.get(field)].flat().filter((name) => typeof name === 'string')
  if (field === undefined || names.length < 2) return { by: 'parts', parts: [{ about: names[0] ?? '', operation }] }
  return { by: 'parts', parts: names.map((name) => ({ about: name, operation: { ...operation, [field]: [name] } })) }
}

/** @throws SluiceError BAD_FLAG if a required store is not named: the ledger has its URL without the password */
export function refuseUnnamedStore(operation: Operation): void {
  const needs = declarationOf(operation.kind).distributes?.needs
  if (needs === undefined || new Map<string, unknown>(Object.entries(operation)).get(needs) !== undefined) return
  throw new SluiceError('BAD_FLAG', `${commandNameOf(operation.kind)} can be run by workers only with --${needs}`, {
    reason: 'the ledger records the URL of the source without its password, so workers need the name of a store',
    hint: `add --${needs} STORE, with a name below stores: in sluice.yaml`,
  })
}

/** Local folders that an operation uses: lakes, Delta tables, archives. */
export function operationFolders(operation: Operation): readonly string[] {
  const places = storesOf(operation).filter(({ family, name }) => {
    if (isS3Url(name)) return false
    // The id of a table in the catalog may have the form of a path.
    return (
      family === 'lake' || family === 'folder' || (family === 'table' && (/^\.{0,2}\//.test(name) || existsSync(name)))
    )
  })
  return [...new Set(places.map(({ name }) => name))]
}

/**
 * The stores of the config file that an operation uses.
 * @throws SluiceError BAD_FLAG for a database without a name in the config file
 */
export function namedStores(operation: Operation, known: readonly NamedUrl[]): readonly NamedUrl[] {
  return [...new Set(urlsOf(operation))].map((url) => {
    const found = known.find((store) => store.url === url)
    if (found !== undefined) return found
    throw new SluiceError('BAD_FLAG', `${redactUrl(url)} is not a store of the config file`, {
      reason: 'a queue records only names of stores, not URLs',
      hint:
        known.length === 0
          ? 'add the URL under stores: in sluice.yaml, on this machine and on those of the workers, then use its name instead of the URL'
          : `use the name of a store of the config file: ${known.map(({ name }) => name).join(', ')}`,
    })
  })
}

/** Replaces URLs by names, which contain no secrets. */
export function withStoreNames(operation: Operation, stores: readonly NamedUrl[]): Operation {
  return withUrls(operation, (url) => stores.find((store) => store.url === url)?.name ?? '')
}

/**
 * Replaces names by this machine's URLs.
 * @throws SluiceError BAD_CONFIG for an unknown name
 */
export function withOwnUrls(operation: Operation, known: readonly NamedUrl[]): Operation {
  return withUrls(operation, (name) => ownUrl(name, known))
}
