/** Text from elsewhere, fit for a terminal: one line, no escape sequences, nothing that turns the line around. */
export function printable(text: string): string {
  return text.replace(/[\t\r\n]+/gu, ' ').replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}
