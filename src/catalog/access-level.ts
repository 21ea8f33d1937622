/** Access levels of a login in a catalog, each including the lower ones, and the rights missing for a level. */

/** `reader` queries; `importer` also writes rows; `admin` also creates and upgrades the catalog. */
export type AccessLevel = 'reader' | 'importer' | 'admin'
export const ACCESS_LEVELS: readonly AccessLevel[] = ['reader', 'importer', 'admin']

export type CatalogRights = {
  /** Name on the server. */
  readonly login: string
  /** The highest complete level; null if rights for reading are missing. */
  readonly level: AccessLevel | null
  /** Rights missing for each level, without the rights of the level below, such as `INSERT on delta_files`. */
  readonly missing: Readonly<Record<AccessLevel, readonly string[]>>
  /** Optional rights: without them an import is slower. */
  readonly wanted: readonly string[]
}

/** Adds the level that follows from the missing rights. */
export function withLevel(rights: Omit<CatalogRights, 'level'>): CatalogRights {
  let level: AccessLevel | null = null
  for (const next of ACCESS_LEVELS) {
    if (rights.missing[next].length > 0) break
    level = next
  }
  return { ...rights, level }
}

const MOST_NAMED = 3

/** Text such as `INSERT, DELETE on a, b, c and 9 more`; relations with equal missing privileges are grouped. */
export function missingTexts(lacks: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const relations = new Map<string, string[]>()
  for (const [relation, privileges] of lacks) {
    if (privileges.length === 0) continue
    const key = privileges.join(', ')
    relations.set(key, [...(relations.get(key) ?? []), relation])
  }
  return [...relations].map(([privileges, names]) => {
    const more = names.length - MOST_NAMED
    return `${privileges} on ${names.slice(0, MOST_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
  })
}
