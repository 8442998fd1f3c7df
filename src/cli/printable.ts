/**
 * Text as a terminal may have it: other systems' words could clear the screen or colour what is ours. Control and format characters stand as JSON would
 * escape them, so that they are seen, and an object stays the one it was. Line ends and tabs are our own.
 */
export function printable(text: string): string {
  return text.replace(/\r(?!\n|$)|(?![\r\n\t])[\p{Cc}\p{Cf}]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}
