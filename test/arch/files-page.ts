/** The page docs/dev/files.md, from the files of `src`. */
import path from 'node:path'
import type { SourceFile } from './source-files.ts'

const HEAD = `# Files

Each file of \`src\` with the first sentence of its first comment. Search it for a word of your change. Folders are explained in [rooms](rooms.md).
\`npx vitest run --project light test/arch/docs.test.ts --update\` writes it; the same test compares.
`

/** @throws Error for files that do not begin with a sentence about them */
export function filesPage(sources: readonly SourceFile[]): string {
  const silent = sources.filter((one) => sentenceOf(one) === null)
  if (silent.length > 0) throw new Error(`no sentence in ${silent.map(({ name }) => name).join(', ')}`)
  const folders = [...new Set(sources.map(({ name }) => path.posix.dirname(name)))].toSorted()
  const sections = folders.map((folder) => {
    const files = sources.filter(({ name }) => path.posix.dirname(name) === folder)
    const lines = files.map((one) => `- \`${path.posix.basename(one.name)}\`: ${sentenceOf(one) ?? ''}\n`)
    return `\n## src/${folder}\n\n${lines.join('')}`
  })
  return `${HEAD}${sections.join('')}`
}

/** The first sentence of a comment before or directly behind the imports, without tags. */
function sentenceOf({ name, text }: SourceFile): string | null {
  const operation = /\/operations\/([\w-]+)\/declaration\.ts$/.exec(name)?.[1]
  if (operation !== undefined) return `Options, events and help of \`${operation}\`.`
  const start = text.indexOf('/**')
  const before = text.slice(0, Math.max(0, start)).replaceAll(/^import\b[^']*'[^']*'\n/gm, '')
  if (start < 0 || !/^(?:#!.*)?\s*$/.test(before)) return null
  const words = text
    .slice(start + 3, text.indexOf('*/', start))
    .replaceAll(/\n\s*\* ?/g, ' ')
    .replace(/(?:^|\s)@\w[^]*/, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return words === '' ? null : (/^.*?\.(?= [A-Z]|$)/.exec(words)?.[0] ?? words)
}
