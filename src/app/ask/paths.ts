/** Paths for whoever types one. */
import { readdir } from 'node:fs/promises'
import { pathOf } from './save.ts'

/** More than anybody reads. */
const MOST = 50

/** @returns what may stand there, in the words of whoever began it; folders end with '/'. Nothing where it cannot be looked at. */
export async function pathsThatBegin(begin: string): Promise<readonly string[]> {
  const slash = begin.lastIndexOf('/')
  const folder = begin.slice(0, slash + 1)
  const name = begin.slice(slash + 1)
  const entries = await readdir(pathOf(folder === '' ? '.' : folder), { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.name.startsWith(name) && (name.startsWith('.') || !entry.name.startsWith('.')))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .toSorted()
    .slice(0, MOST)
    .map((found) => folder + found)
}
