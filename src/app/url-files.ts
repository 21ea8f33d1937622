/** Completions of a database URL: folders, and database files of its system. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import path from 'node:path'
import { systemOf } from '../engine/run/systems.ts'
import type { SystemDeclaration } from '../stores/declaration.ts'
import type { CompletionCandidate } from './command-port.ts'

/** Limit of files per folder, because each is opened for its first bytes. */
const MOST = 500
const HEAD_BYTES = 16

/**
 * @param url the URL as typed so far: `sqlite:///data/sh`
 * @returns complete URLs; a folder ends with a slash. Empty for systems without files
 */
export function urlFiles(url: string): readonly CompletionCandidate[] {
  const [, front, typed] = /^([a-z][a-z0-9+]*:\/\/\/)(.*)$/is.exec(url) ?? []
  const system = systemOf(url)
  if (front === undefined || typed === undefined || system?.file === undefined || /[?#%]/.test(typed)) return []
  const at = typed.lastIndexOf('/') + 1
  const folder = typed.slice(0, at)
  const begun = typed.slice(at)
  return entriesOf(folder)
    .filter(({ name }) => name.startsWith(begun) && (begun.startsWith('.') || !name.startsWith('.')))
    .filter(({ name }) => !/[?#%]/.test(name))
    .slice(0, MOST)
    .filter(({ name, isFolder }) => isFolder || isDatabase(folder + name, system.file))
    .map(({ name, isFolder }) => ({ word: `${front}${folder}${name}${isFolder ? '/' : ''}`, meaning: '' }))
    .toSorted((a, b) => (a.word < b.word ? -1 : 1))
}

function entriesOf(folder: string): readonly { readonly name: string; readonly isFolder: boolean }[] {
  try {
    return readdirSync(path.resolve(folder), { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() || entry.isFile() ? [{ name: entry.name, isFolder: entry.isDirectory() }] : [],
    )
  } catch {
    return []
  }
}

function isDatabase(file: string, declared: SystemDeclaration['file']): boolean {
  try {
    const open = openSync(path.resolve(file), 'r')
    try {
      const head = Buffer.alloc(HEAD_BYTES)
      return declared?.isOne(head.subarray(0, readSync(open, head, 0, HEAD_BYTES, 0))) === true
    } finally {
      closeSync(open)
    }
  } catch {
    return false
  }
}
