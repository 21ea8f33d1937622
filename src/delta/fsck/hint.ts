/** Whether `_last_checkpoint` leads readers to a checkpoint. It is only a hint, but real readers that follow one to nothing do not open the table. */
import type { HintLook } from '../last-checkpoint.ts'

type Checkpoints = {
  /** Complete ones. */
  readonly checkpoints: readonly { readonly version: number; readonly files: readonly unknown[] }[]
  readonly incomplete: readonly { readonly version: number }[]
}

/** What is wrong with the hint; null for one that is missing, or that names a checkpoint of the log, also an old one. */
export function hintFault(
  look: HintLook,
  { checkpoints, incomplete }: Checkpoints,
): { readonly found?: string; readonly detail: string } | null {
  if (look.state === 'absent') return null
  if (look.state === 'bad') return { found: look.text, detail: look.why }
  const { version, parts } = look.hint
  const there = checkpoints.filter((one) => one.version === version)
  const named = `_last_checkpoint names checkpoint ${version}`
  if (there.length === 0) {
    const torn = incomplete.some((one) => one.version === version)
    return { found: `${version}`, detail: `${named}, ${torn ? 'of which parts are missing' : 'which is not there'}` }
  }
  const wanted = parts ?? 1
  if (there.some(({ files }) => files.length === wanted)) return null
  const has = there.map(({ files }) => files.length).join(' or ')
  return { found: `${wanted} parts`, detail: `${named} in ${wanted} parts, it has ${has}` }
}
