/** Completions for a form: as for a shell, plus files, and names with any characters. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { CompletionCandidate } from '../../app/command-port.ts'
import { completionOf } from '../completion/candidates.ts'
import { allNamesFor } from '../completion/names.ts'
import { urlFiles } from '../../app/url-files.ts'

/** Limit of candidates. */
const MOST = 200

/**
 * @param words the last one is being typed
 * @returns completions as whole words; empty if unknown
 */
export async function completedWords(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly CompletionCandidate[]> {
  const current = words.at(-1) ?? ''
  const { candidates, places, wanted, isDatabase = false } = completionOf(words)
  const flags = current === '' ? candidates.filter(({ word }) => !word.startsWith('--')) : candidates
  const names = wanted === undefined ? [] : await allNamesFor(wanted, words, env)
  const found = places === null || current.includes('://') ? [] : await placesFrom(current, places)
  const files = isDatabase ? urlFiles(current) : []
  return [...flags, ...names, ...found, ...files].slice(0, MOST)
}

/** Entries of the typed folder; a folder ends with a slash, so that typing can continue. */
async function placesFrom(typed: string, places: 'files' | 'folders'): Promise<readonly CompletionCandidate[]> {
  const at = typed.lastIndexOf('/') + 1
  const folder = typed.slice(0, at)
  const begun = typed.slice(at)
  try {
    const entries = await readdir(folder === '' ? '.' : path.resolve(folder), { withFileTypes: true })
    return entries
      .filter((entry) => entry.name.startsWith(begun) && (begun.startsWith('.') || !entry.name.startsWith('.')))
      .filter((entry) => places === 'files' || entry.isDirectory() || entry.isSymbolicLink())
      .map((entry) => ({ word: `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`, meaning: '' }))
      .toSorted((a, b) => (a.word < b.word ? -1 : 1))
  } catch {
    return []
  }
}
