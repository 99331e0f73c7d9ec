const link = document.createElement('a')
link.href = '/docs'
link.textContent = 'The API of this chatp2p peer'
document.querySelector('main')?.append(link)
