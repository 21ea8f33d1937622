/** Text of time zone candidates, when neither the database's zone nor UTC fits. */

/** Widely used zones, named first. */
const WELL_KNOWN = [
  'Europe/Berlin',
  'Europe/Paris',
  'Europe/London',
  'Europe/Helsinki',
  'America/New_York',
  'America/Chicago',
  'America/Denver',
  'America/Los_Angeles',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Asia/Calcutta',
  'Asia/Shanghai',
  'Asia/Tokyo',
  'Australia/Sydney',
]
const MOST_NAMED = 3

/** `Europe/Berlin, Europe/Paris or Africa/Ceuta`: at most three, the zone of this computer first. */
export function zonesText(zones: readonly string[]): string {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone
  const known = [own, ...WELL_KNOWN].filter((zone) => zones.includes(zone))
  const named = [...new Set([...known, ...zones])].slice(0, MOST_NAMED)
  return named.length < 2 ? named.join('') : `${named.slice(0, -1).join(', ')} or ${named.at(-1) ?? ''}`
}
