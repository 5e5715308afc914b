/** A prompt as somebody may write it: shows a request, and takes it away when it is over. */
export function prompt(request, document) {
  const section = document.createElement('section');
  const text = document.createElement('p');
  text.textContent = `${request.requester.name} asks: ${new TextDecoder().decode(request.message)}`;
  const status = document.createElement('output');
  const button = (label, act) => {
    const element = document.createElement('button');
    element.textContent = label;
    element.addEventListener('click', async () => {
      const { state, error } = await act();
      status.textContent = error ? error.message : state;
    });
    return element;
  };
  section.append(
    text,
    button('Approve', () => request.approve()),
    button('Decline', () => request.reject('not this time')),
    status,
  );
  request.signal.addEventListener('abort', () => section.remove());
  document.body.append(section);
  request.displayed();
  return section;
}
