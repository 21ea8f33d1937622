/** Compares locations. */
import { realpathSync } from 'node:fs'
import path from 'node:path'

/**
 * True if two URLs or paths name the same location: URLs are compared as text, paths after resolving symbolic links.
 * @param a a URL without password, or a path relative to the working folder; `b` the same
 */
export function isSamePlace(a: string, b: string): boolean {
  return a === b || (!a.includes('://') && !b.includes('://') && real(a) === real(b))
}

function real(word: string): string {
  const whole = path.resolve(word)
  try {
    return realpathSync(whole)
  } catch {
    return whole
  }
}
