/** Whether texts of enums and composites still mean the values that were archived. */
import type { DeclaredType, StoredColumn } from '../../model/archive/stored-column.ts'

/**
 * Why archived texts of a column would come back as other values of the type that it has now; null where they would not, or an older program noted no types.
 * A type that was created again, or restored from a dump, is compared by the names of its parts.
 */
export function otherMeaning(then: Pick<StoredColumn, 'declared'>, now: Pick<StoredColumn, 'declared'>): string | null {
  for (const before of then.declared ?? []) {
    const same = now.declared?.find(({ identity }) => identity === before.identity)
    const after = same ?? now.declared?.find(({ name, kind }) => name === before.name && kind === before.kind)
    if (after === undefined) continue
    const found =
      before.kind === 'enum'
        ? otherMembers(before, after, same !== undefined)
        : otherPlaces(before, after, same !== undefined)
    if (found !== null) return found
  }
  return null
}

/** A member that has lost its name is none that a text could be taken for: the server refuses it. */
function otherMembers(before: DeclaredType, after: DeclaredType, isSame: boolean): string | null {
  if (isSame) {
    const other = before.parts.find(({ number, name }) => {
      const called = after.parts.find((part) => part.name === name)
      return called !== undefined && called.number !== number
    })
    return other === undefined ? null : `'${other.name}' is another member of ${after.name} now`
  }
  const names = (these: DeclaredType, others: DeclaredType): readonly string[] =>
    these.parts.map(({ name }) => name).filter((name) => others.parts.some((part) => part.name === name))
  return String(names(before, after)) === String(names(after, before))
    ? null
    : `the members of ${after.name} stand in another order now`
}

/** The text of a composite gives its attributes by their places, so that their names do not count as long as their numbers tell them. */
function otherPlaces(before: DeclaredType, after: DeclaredType, isSame: boolean): string | null {
  const list = ({ parts }: DeclaredType): string =>
    JSON.stringify(parts.map(({ number, name, type }) => [isSame ? number : name, plainType(type)]))
  const named = ({ parts }: DeclaredType): string => parts.map(({ name, type }) => `${name} ${type}`).join(', ')
  return list(before) === list(after)
    ? null
    : `the attributes of ${after.name} were (${named(before)}) and are (${named(after)}) now`
}

/** Without what depends on the search_path of a session, and without lengths: a value that is too long is refused by the server. */
function plainType(type: string | undefined): string | undefined {
  return type?.replaceAll(/\([\d, -]+\)/g, '').replace(/^(?:"(?:[^"]|"")*"|\w+)\./, '')
}
