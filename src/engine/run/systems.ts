/** Properties of a URL that are known without opening it: its system, and abilities of the system. Loads no drivers. */
import type { SystemDeclaration } from '../../stores/declaration.ts'
import { SYSTEMS } from '../../stores/systems.ts'

/** The system of a URL, by its scheme; null if no system has it. */
export function systemOf(url: string): SystemDeclaration | null {
  const scheme = /^([a-z][a-z0-9+]*):\/\//i.exec(url)?.[1]?.toLowerCase()
  return SYSTEMS.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme)) ?? null
}

/** The system of a file, by its first 16 bytes; null if it is not a database. */
export function systemOfFile(head: Buffer): SystemDeclaration | null {
  return SYSTEMS.find(({ file }) => file?.isOne(head) === true) ?? null
}

/** System by the name that stores and dialects use. @throws Error if no declaration has the name */
export function systemNamed(name: string): SystemDeclaration {
  const found = SYSTEMS.find((system) => system.name === name)
  if (found === undefined) throw new Error(`no declaration of ${name}`)
  return found
}

/** True if each of two systems, given by name, can parse the texts that the other prints. */
export function sameFamily(one: string, other: string): boolean {
  return systemNamed(one).family === systemNamed(other).family
}

/** True if a word is the URL of a database that can hold a catalog. */
export function isCatalogUrl(word: string): boolean {
  return systemOf(word)?.catalog !== undefined
}

/** True if a word is the URL of a database whose tables can be copied. */
export function isCopyUrl(word: string): boolean {
  return systemOf(word)?.copies !== undefined
}

/** True if the database can be opened only once at a time: while its catalog is open, its tables cannot be read. */
export function hasOneOpener(url: string): boolean {
  return systemOf(url)?.catalog?.oneOpener === true
}

/** True if a batch holds rows of one partition; otherwise a batch holds the rows of one write. */
export function batchesByPartition(url: string): boolean {
  return systemOf(url)?.copies?.batchesByPartition === true
}

/**
 * True if a catalog URL accepts `schema=NAME`; otherwise a text with the alternative; null for a system without
 * catalogs.
 */
export function catalogSchemaSupport(url: string): true | { readonly instead: string } | null {
  return systemOf(url)?.catalog?.schema ?? null
}

/** URLs of catalogs for a hint, URLs of files first. */
export function catalogExamples(): string {
  const holding = SYSTEMS.flatMap(({ catalog, example, file }) =>
    catalog === undefined ? [] : [{ text: catalog.example ?? example, isFile: file !== undefined }],
  )
  return orList(
    [...holding.filter(({ isFile }) => isFile), ...holding.filter(({ isFile }) => !isFile)].map(({ text }) => text),
  )
}

/** Example URLs of databases that can be copied, for a hint. */
export function copyExamples(): string {
  return orList(SYSTEMS.filter(({ copies }) => copies !== undefined).map(({ example }) => example))
}

/** Display name of a system. */
export function titleOf(name: string): string {
  return systemNamed(name).title
}

/** Display names of the matching systems, for a hint. */
export function titlesOf(which: (system: SystemDeclaration) => boolean): string {
  return orList(SYSTEMS.filter(which).map(({ title }) => title))
}

/** Display names of systems that can hold the tables of the Cassandra Data Migrator, for a hint. */
export function trackingTitles(): string {
  return orList(SYSTEMS.flatMap(({ copies }) => copies?.tracks ?? []))
}

/** Joins words to a text: `a, b or c`. */
export function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`
}
