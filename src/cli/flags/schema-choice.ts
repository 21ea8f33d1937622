/** `--schema NAME`: schema of a PostgreSQL catalog. It becomes part of the URL, so the engine needs only the URL. */
import { SluiceError } from '../../shared/errors.ts'
import { isCatalogUrl, catalogSchemaSupport } from '../../engine/run/systems.ts'
import type { CatalogChoice } from './catalog-choice.ts'
import { decoded } from '../../shared/redact.ts'

export type SchemaChoice = {
  readonly name: string
  /** Origin of the name: a printed command repeats the flag, or names the variable. */
  readonly from: 'flag' | 'variable'
}

export const SCHEMA_VARIABLE = 'SLUICE_SCHEMA'

/** `--schema`, else `SLUICE_SCHEMA`; null without either. */
export function chooseSchema(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): SchemaChoice | null {
  if (flag !== undefined) return { name: flag, from: 'flag' }
  const variable = env[SCHEMA_VARIABLE]
  return variable === undefined || variable.trim() === '' ? null : { name: variable, from: 'variable' }
}

/** The catalog with the schema in its URL. @throws SluiceError BAD_FLAG as `urlWithSchema` */
export function catalogInSchema(catalog: CatalogChoice | null, schema: SchemaChoice | null): CatalogChoice | null {
  if (catalog === null || catalog.unset !== undefined || schema === null) return catalog
  return { ...catalog, url: urlWithSchema(catalog.url, schema), schemaFrom: schema.from }
}

type Chosen = { readonly schema: SchemaChoice | null; readonly catalog: CatalogChoice | null }

/** The target of `sluice TARGET`, with the schema if it is a database. @throws SluiceError BAD_FLAG */
export function targetInSchema(target: string, chosen: Chosen): string {
  if (isCatalogUrl(target)) return chosen.schema === null ? target : urlWithSchema(target, chosen.schema)
  refuseUnusedSchema(chosen)
  return target
}

/** @throws SluiceError BAD_FLAG for `--schema` without a catalog; the variable may be set for other commands */
export function refuseUnusedSchema({ schema, catalog }: Chosen): void {
  if (schema?.from !== 'flag' || catalog !== null) return
  throw new SluiceError('BAD_FLAG', '--schema needs a catalog', {
    hint: 'add --database-url postgresql://user@host/database',
  })
}

/**
 * A PostgreSQL URL with `schema=NAME` in its query.
 * @throws SluiceError BAD_FLAG for another system, or if the URL names another schema
 */
export function urlWithSchema(url: string, { name, from }: SchemaChoice): string {
  const origin = from === 'flag' ? '--schema' : SCHEMA_VARIABLE
  const schema = catalogSchemaSupport(url)
  if (schema !== true) {
    throw new SluiceError('BAD_FLAG', `${origin} is for PostgreSQL only`, {
      hint: schema?.instead ?? `remove ${origin}, or name a postgresql:// database`,
    })
  }
  const hash = url.indexOf('#')
  const [base, fragment] = hash === -1 ? [url, ''] : [url.slice(0, hash), url.slice(hash)]
  const question = base.indexOf('?')
  const pairs = question === -1 ? [] : base.slice(question + 1).split('&')
  const named = pairs.filter((pair) => decoded(pair.split('=', 1)[0] ?? '') === 'schema')
  for (const pair of named) {
    const other = decoded(pair.slice(pair.indexOf('=') + 1))
    if (other === name) continue
    throw new SluiceError('BAD_FLAG', `two schemas are given: ${name} with ${origin}, ${other} in the URL`, {
      hint: 'remove one of the two',
    })
  }
  if (named.length > 0) return url
  const separator = question === -1 ? '?' : /[?&]$/.test(base) ? '' : '&'
  return `${base}${separator}schema=${encodeURIComponent(name)}${fragment}`
}
