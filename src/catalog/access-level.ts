/** How much of a catalog a login may use: levels that hold each other, and what a level lacks. */

/** Asks; writes rows too; makes and upgrades the catalog. Each level holds the one before. */
export type AccessLevel = 'reader' | 'importer' | 'admin'
export const ACCESS_LEVELS: readonly AccessLevel[] = ['reader', 'importer', 'admin']

export type Rights = {
  /** As the server knows it. */
  readonly login: string
  /** The highest level that lacks nothing; null where not even reading works. */
  readonly level: AccessLevel | null
  /** What each level lacks beyond the one before, such as `INSERT on delta_files`. */
  readonly missing: Readonly<Record<AccessLevel, readonly string[]>>
  /** What an import goes on without, slower. */
  readonly wanted: readonly string[]
}

/** The rights with the level that follows from what is missing. */
export function withLevel(rights: Omit<Rights, 'level'>): Rights {
  let level: AccessLevel | null = null
  for (const next of ACCESS_LEVELS) {
    if (rights.missing[next].length > 0) break
    level = next
  }
  return { ...rights, level }
}

const MOST_NAMED = 3

/** `INSERT, DELETE on a, b, c and 9 more` out of one set of missing privileges a relation; relations that lack the same stand together. */
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
