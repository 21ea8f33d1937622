/** The first `most` of a list as text: `a, b and 3 more`. */
export function firstOf(parts: readonly (string | number)[], most: number): string {
  const more = parts.length - most
  return `${parts.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
